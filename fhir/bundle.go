package fhir

import (
	"slices"
	"strconv"
)

// Entry is one resource of a searchset, with its address.
type Entry struct {
	FullURL  string
	Resource Resource
}

// SearchSet is the answer to a search. Total is -1 if nobody counted.
func SearchSet(total int64, self, next string, entries []Entry, warnings Issues) Resource {
	links := []Resource{{{"relation", "self"}, {"url", self}}}
	if next != "" {
		links = append(links, Resource{{"relation", "next"}, {"url", next}})
	}
	out := Resource{{"resourceType", "Bundle"}, {"type", "searchset"}}
	if total >= 0 {
		out = append(out, Element{"total", total})
	}
	out = append(out, Element{"link", links})
	var all []Resource
	for _, e := range entries {
		all = append(all, Resource{{"fullUrl", e.FullURL}, {"resource", e.Resource}, {"search", Resource{{"mode", "match"}}}})
	}
	if len(warnings) > 0 {
		all = append(all, Resource{{"resource", Outcome("warning", warnings)}, {"search", Resource{{"mode", "outcome"}}}})
	}
	if all != nil { // an empty list is no value
		out = append(out, Element{"entry", all})
	}
	return out
}

// Change is one line of a history.
type Change struct {
	FullURL  string
	Resource Resource // nil of a deletion
	Method   string
	URL      string // of the request, relative to the base
	Status   int
	ETag     string
	At       string
}

// History is the answer to who asks for all versions, newest first.
func History(total int64, self, next string, changes []Change) Resource {
	links := []Resource{{{"relation", "self"}, {"url", self}}}
	if next != "" {
		links = append(links, Resource{{"relation", "next"}, {"url", next}})
	}
	out := Resource{{"resourceType", "Bundle"}, {"type", "history"}, {"total", total}, {"link", links}}
	var all []Resource
	for _, c := range changes {
		entry := Resource{{"fullUrl", c.FullURL}}
		if c.Resource != nil {
			entry = append(entry, Element{"resource", c.Resource})
		}
		response := Resource{{"status", strconv.Itoa(c.Status)}}
		if c.ETag != "" {
			response = append(response, Element{"etag", c.ETag})
		}
		response = append(response, Element{"lastModified", c.At})
		all = append(all, append(entry, Element{"request", Resource{{"method", c.Method}, {"url", c.URL}}}, Element{"response", response}))
	}
	if all != nil {
		out = append(out, Element{"entry", all})
	}
	return out
}

// Subset is a part of a resource, for _summary and _elements. It is marked, so that nobody sends it back as the whole.
func Subset(r Resource, summary string, elements []string) Resource {
	kind, _ := r.Get("resourceType").(string)
	var keep func(name string) bool
	switch {
	case len(elements) > 0:
		keep = func(name string) bool {
			return slices.Contains(elements, name) || slices.Contains(mandatory[kind], name)
		}
	case summary == "true":
		keep = func(name string) bool {
			return slices.Contains(summaries[kind], name) || slices.Contains(mandatory[kind], name)
		}
	case summary == "text":
		keep = func(name string) bool { return name == "text" || slices.Contains(mandatory[kind], name) }
	case summary == "data":
		keep = func(name string) bool { return name != "text" }
	default:
		return r
	}
	var out Resource
	for _, e := range r {
		switch {
		case e.Name == "meta":
			tag := []Resource{{{"system", "http://terminology.hl7.org/CodeSystem/v3-ObservationValue"}, {"code", "SUBSETTED"}}}
			meta, _ := e.Value.(Resource)
			out = append(out, Element{"meta", append(slices.Clone(meta), Element{"tag", tag})})
		case e.Name == "resourceType" || e.Name == "id" || keep(e.Name):
			out = append(out, e)
		}
	}
	return out
}

// mandatory are the elements that each resource of a type must have.
var mandatory = map[string][]string{"AuditEvent": {"type", "recorded", "agent", "source"}}

// summaries are the elements of _summary=true, by type.
var summaries = map[string][]string{
	"Patient":      summaryOf(patients.elements),
	"Practitioner": summaryOf(practitioners.elements),
	"CareTeam":     {"identifier", "status", "category", "name", "subject", "encounter", "period", "managingOrganization"},
	"AuditEvent":   {"type", "subtype", "action", "period", "recorded", "outcome", "outcomeDesc"},
}

func summaryOf[F, R any](elements []element[F, R]) (names []string) {
	for _, e := range elements {
		if e.summary {
			names = append(names, e.name)
		}
	}
	return names
}
