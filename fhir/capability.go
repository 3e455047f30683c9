package fhir

import (
	"slices"
	"strings"

	"healthcare/version"
)

// Capability is the CapabilityStatement, made of the tables by which this server reads, writes and searches.
func Capability(address, at string) Resource {
	return Resource{
		{"resourceType", "CapabilityStatement"},
		{"status", "active"},
		{"date", at},
		{"kind", "instance"},
		{"software", Resource{{"name", version.Name}, {"version", version.Number}}},
		{"implementation", Resource{{"description", version.Name}, {"url", address}}},
		{"fhirVersion", Version},
		{"format", []string{"application/fhir+json", "json"}},
		{"rest", []Resource{{
			{"mode", "server"},
			{"documentation", "Unknown parameters of a search are refused, unless Prefer says handling=lenient. Elements that cannot be kept are refused; those that are left out are warnings under Prefer: return=OperationOutcome."},
			{"security", Resource{{"cors", true}, {"description", "A token of POST /api/auth/login/, as Authorization: Bearer."}}},
			{"resource", []Resource{
				resourceOf("Patient", patients.says(), "read", "vread", "update", "delete", "history-instance", "create", "search-type"),
				resourceOf("Practitioner", practitioners.says(), "read", "vread", "update", "delete", "history-instance", "create", "search-type"),
				resourceOf("CareTeam", "The doctors of a patient: one CareTeam for each, with the patient's id. An update compares the members. POST and DELETE are not supported. "+careTeam.says(), "read", "update", "search-type"),
				resourceOf("AuditEvent", "The audit trail, for staff. Who wants to know how many there are asks for it by _total=accurate.", "read", "search-type"),
			}},
		}}},
	}
}

func resourceOf(kind, says string, interactions ...string) Resource {
	var can, params []Resource
	for _, code := range interactions {
		can = append(can, Resource{{"code", code}})
	}
	for _, p := range parameters[kind] {
		one := Resource{{"name", p.name}, {"type", p.kind}}
		if says := joined("; ", p.says, modifiersOf(p)); says != "" {
			one = append(one, Element{"documentation", says})
		}
		params = append(params, one)
	}
	out := Resource{{"type", kind}, {"documentation", says}, {"interaction", can}, {"versioning", "versioned"}, {"readHistory", slices.Contains(interactions, "vread")}, {"updateCreate", false}}
	if slices.Contains(interactions, "create") {
		out = append(out, Element{"conditionalCreate", true})
	}
	return append(out, Element{"conditionalRead", "not-match"}, Element{"conditionalUpdate", false}, Element{"conditionalDelete", "not-supported"}, Element{"searchParam", params})
}

func modifiersOf(p parameter) string {
	if len(p.modifiers) == 0 {
		return ""
	}
	return "modifiers: " + strings.Join(p.modifiers, ", ")
}
