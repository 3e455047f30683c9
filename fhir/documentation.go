package fhir

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Tables is what docs/fhir.md says of each element, in Markdown.
func Tables() string {
	return "### Patient\n\n" + patients.markdown() + "\n### Practitioner\n\n" + practitioners.markdown() + "\n### CareTeam\n\n" + careTeam.says() + "\n" +
		"\n### Parameters of searches\n\n" + searches()
}

// searches is a row for each type that can be searched.
func searches() string {
	var text strings.Builder
	text.WriteString("| resource | parameters | `_sort` |\n|---|---|---|\n")
	for _, kind := range []string{"Patient", "Practitioner", "CareTeam", "AuditEvent"} {
		var names []string
		for _, p := range parameters[kind] {
			name := "`" + p.name + "`"
			for _, m := range p.modifiers {
				name += " `:" + m + "`"
			}
			names = append(names, name)
		}
		_, _ = fmt.Fprintf(&text, "| %s | %s | %s |\n", kind, strings.Join(names, ", "), strings.Join(slices.Sorted(maps.Keys(sorts[kind])), ", "))
	}
	return text.String()
}

// says tells what becomes of each element.
func (t *table[F, R]) says() string {
	by := map[handling][]string{}
	for _, e := range t.elements {
		text := e.name
		if e.note != "" {
			text = fmt.Sprintf("%s (%s)", e.name, e.note)
		}
		by[e.how] = append(by[e.how], text)
	}
	return handlings(by)
}

func (p parts) says() string {
	by := map[handling][]string{}
	for _, name := range slices.Sorted(maps.Keys(p)) {
		by[p[name]] = append(by[p[name]], name)
	}
	return handlings(by)
}

func handlings(by map[handling][]string) string {
	var all []string
	for _, h := range []struct {
		how  handling
		says string
	}{{stored, "Stored"}, {ignored, "Said by the server itself"}, {dropped, "Left out, with a warning"}, {refused, "Refused"}} {
		if by[h.how] != nil {
			all = append(all, h.says+": "+strings.Join(by[h.how], ", ")+".")
		}
	}
	return strings.Join(all, " ")
}

// markdown is a row for each element that comes back, and a sentence for all others.
func (t *table[F, R]) markdown() string {
	var text strings.Builder
	text.WriteString("| element | in `/api` | how |\n|---|---|---|\n")
	others := map[handling][]string{}
	for _, e := range t.elements {
		if e.how != stored && e.how != ignored {
			others[e.how] = append(others[e.how], e.name)
			continue
		}
		_, _ = fmt.Fprintf(&text, "| `%s` | %s | %s |\n", e.name, strings.Join(e.fields, ", "), e.note)
	}
	return text.String() + "\n" + handlings(others) + "\n"
}
