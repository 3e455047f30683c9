package fhir

import (
	"strings"
	"unicode"
)

// shown is a text as FHIR lets it be: of all that is space, it has only blanks, tabs and line breaks
// (http://hl7.org/fhir/R4/datatypes.html#string).
func shown(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\r' || r == '\n' || r == '\t' || !unicode.IsSpace(r) && r != '\ufeff' {
			return r
		}
		return ' '
	}, s)
}

var humanName = parts{
	"text": stored, "prefix": stored, "given": stored, "family": stored, "suffix": stored, "use": ignored, "period": refused,
}

// readName reads the one name that a person has: its text, or its parts joined. Nothing is split or guessed.
func readName(in *input, at string, value any) string {
	one := in.one(at, value)
	if one == nil {
		return ""
	}
	at = index(at, 0)
	name, ok := in.object(at, "A HumanName", one, humanName)
	if !ok {
		return ""
	}
	switch use := in.code(at+".use", name["use"], "usual", "official", "temp", "nickname", "anonymous", "old", "maiden"); use {
	case "temp", "nickname", "old", "maiden":
		in.refuse("not-supported", at+".use", "This server keeps the name that is used now, and no "+use+" name.")
	case "usual", "official", "anonymous":
		in.drop(at + ".use")
	}
	text := in.text(at+".text", name["text"])
	all := in.texts(at+".prefix", name["prefix"])
	all = append(all, in.texts(at+".given", name["given"])...)
	all = append(all, in.text(at+".family", name["family"]))
	all = append(all, in.texts(at+".suffix", name["suffix"])...)
	if text == "" {
		return joined(" ", all...)
	}
	for _, part := range []string{"prefix", "given", "family", "suffix"} {
		if name[part] != nil {
			in.drop(at + "." + part)
		}
	}
	return text
}

func writeName(name string) any { return []Resource{{{"text", shown(name)}}} }

var contactPoint = parts{"system": stored, "value": stored, "use": ignored, "rank": dropped, "period": refused}

// readTelecom reads one phone number and one e-mail address.
func readTelecom(in *input, at string, value any, phone, email *string) {
	for i, one := range in.list(at, value) {
		at := index(at, i)
		point, ok := in.object(at, "A ContactPoint", one, contactPoint)
		if !ok {
			continue
		}
		switch use := in.code(at+".use", point["use"], "home", "work", "temp", "old", "mobile"); use {
		case "old":
			in.refuse("not-supported", at+".use", "This server keeps what is used now.")
		case "home", "work", "temp", "mobile":
			in.drop(at + ".use")
		}
		into := map[string]*string{"phone": phone, "email": email}
		system, text := in.code(at+".system", point["system"], "phone", "fax", "email", "pager", "url", "sms", "other"), in.text(at+".value", point["value"])
		switch {
		case system == "":
			in.invalid("required", at+".system", "A ContactPoint needs a system (invariant cpt-2).")
		case into[system] == nil:
			in.refuse("not-supported", at+".system", "This server keeps a phone number and an e-mail address.")
		case *into[system] != "":
			in.refuse("not-supported", at, "This server can keep one of each system only.")
		case text == "":
			in.invalid("required", at+".value", "A ContactPoint needs a value here.")
		default:
			*into[system] = text
		}
	}
}

func writeTelecom(phone, email string) any {
	var all []Resource
	if phone != "" {
		all = append(all, Resource{{"system", "phone"}, {"value", shown(phone)}})
	}
	if email != "" {
		all = append(all, Resource{{"system", "email"}, {"value", email}})
	}
	if all == nil {
		return nil
	}
	return all
}

var addressParts = parts{
	"text": stored, "line": stored, "city": stored, "district": stored, "state": stored, "postalCode": stored, "country": stored,
	"use": ignored, "type": dropped, "period": refused,
}

// readAddress reads the one address that a person has: its text, or its parts as lines.
func readAddress(in *input, at string, value any) string {
	one := in.one(at, value)
	if one == nil {
		return ""
	}
	at = index(at, 0)
	address, ok := in.object(at, "An Address", one, addressParts)
	if !ok {
		return ""
	}
	switch use := in.code(at+".use", address["use"], "home", "work", "temp", "old", "billing"); use {
	case "old", "billing":
		in.refuse("not-supported", at+".use", "This server keeps where a person lives now.")
	case "home", "work", "temp":
		in.drop(at + ".use")
	}
	part := func(name string) string { return in.text(at+"."+name, address[name]) }
	lines := in.texts(at+".line", address["line"])
	lines = append(lines, joined(" ", part("postalCode"), part("city")), part("district"), part("state"), part("country"))
	if text := part("text"); text != "" {
		return text
	}
	return joined("\n", lines...)
}

func writeAddress(text string) any {
	if text == "" {
		return nil
	}
	return []Resource{{{"text", shown(text)}}}
}

// readActive takes true alone: who is not active is deleted.
func readActive(in *input, at string, value any) {
	active, ok := value.(bool)
	if !ok {
		in.invalid("value", at, "This must be true or false.")
	} else if !active {
		in.refuse("business-rule", at, "Who is not active any more is deleted: send DELETE.")
	}
}

// readMeta refuses a resource of which this server has shown a part: what it lacks would be lost.
func readMeta(in *input, at string, value any) {
	meta, ok := in.object(at, "A Meta", value, parts{
		"versionId": ignored, "lastUpdated": ignored, "source": dropped, "profile": dropped, "security": dropped, "tag": ignored,
	})
	if !ok || meta["tag"] == nil {
		return
	}
	for i, one := range in.list(at+".tag", meta["tag"]) {
		tag, _ := one.(object)
		if tag["code"] == "SUBSETTED" {
			in.refuse("business-rule", index(at+".tag", i), "This is a part of a resource. Send the whole.")
			return
		}
	}
	in.drop(at + ".tag")
}

// extensionOf is the address of an extension of the clinic's.
func extensionOf(name string) string { return base + "StructureDefinition/" + name }
