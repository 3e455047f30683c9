package fhir

import (
	"fmt"
	"slices"
	"strconv"

	"healthcare/models"
)

const actionSystem = "http://hl7.org/fhir/audit-event-action"

// auditActions are the codes of what was done (http://hl7.org/fhir/R4/valueset-audit-event-action.html), by the actions of
// the audit trail. All others are executions.
var auditActions = map[string]string{
	models.ActionCreate: "C", models.ActionAssign: "C", models.ActionRead: "R", models.ActionList: "R", models.ActionExport: "R",
	models.ActionUpdate: "U", models.ActionRestore: "U", models.ActionMerge: "U", models.ActionUnmerge: "U",
	models.ActionDelete: "D", models.ActionUnassign: "D", models.ActionErase: "D",
}

func actionOf(action string) string {
	if code, ok := auditActions[action]; ok {
		return code
	}
	return "E"
}

const dicom = "http://dicom.nema.org/resources/ontology/DCM"

// AuditEvent is a line of the audit trail as FHIR has it.
func AuditEvent(e *models.AuditEntry) Resource {
	outcome, who := "0", "command line"
	agent := Resource{}
	if e.User != nil {
		who = e.User.Username
		agent = append(agent, Element{"altId", strconv.FormatInt(e.User.ID, 10)})
	}
	if e.Outcome != "ok" {
		outcome = "4"
	}
	agent = append(agent, Element{"name", shown(who)}, Element{"requestor", true})
	if e.Address != "" {
		agent = append(agent, Element{"network", Resource{{"address", e.Address}, {"type", "2"}}})
	}
	out := Resource{
		{"resourceType", "AuditEvent"},
		{"id", strconv.FormatInt(e.ID, 10)},
		{"meta", Resource{{"versionId", "1"}, {"lastUpdated", Instant(e.At)}}},
		{"type", Resource{{"system", dicom}, {"code", "110110"}, {"display", "Patient Record"}}},
		{"subtype", []Resource{{{"system", base + "sid/audit-action"}, {"code", e.Action}}}},
		{"action", actionOf(e.Action)},
		{"recorded", Instant(e.At)},
		{"outcome", outcome},
	}
	if e.Outcome != "ok" {
		out = append(out, Element{"outcomeDesc", e.Outcome})
	}
	out = append(out, Element{"agent", []Resource{agent}}, Element{"source", Resource{{"observer", Resource{{"display", "Healthcare API"}}}}})
	if entities := entitiesOf(e); entities != nil {
		out = append(out, Element{"entity", entities})
	}
	return out
}

// entitiesOf are what an event was about, and whose data that was.
func entitiesOf(e *models.AuditEntry) (all []Resource) {
	types := map[string]string{"patient": "Patient", "doctor": "Practitioner", "mapping": "CareTeam"}
	about := int64(0)
	if e.ObjectID != nil && e.Object != "mapping" {
		about = *e.ObjectID
	}
	if kind := types[e.Object]; kind != "" && about != 0 {
		all = append(all, Resource{{"what", Resource{{"reference", fmt.Sprintf("%s/%d", kind, about)}}}})
	}
	for _, patient := range e.PatientIDs {
		if e.Object != "patient" || patient != about {
			all = append(all, Resource{{"what", Resource{{"reference", fmt.Sprint("Patient/", patient)}}}})
		}
	}
	return all
}

// byAction finds events by the code of what was done.
func byAction(s *searching, at, _, value string) models.Condition {
	system, code, anySystem := token(value)
	if !anySystem && system != actionSystem {
		return models.Never
	}
	if !slices.Contains([]string{"C", "R", "U", "D", "E"}, code) {
		return s.invalid(at, "Use one of: C, R, U, D, E.")
	}
	var actions, others []string
	for action, is := range auditActions {
		others = append(others, action)
		if is == code {
			actions = append(actions, action)
		}
	}
	if code == "E" {
		return models.Not(models.IsAction(others...))
	}
	return models.IsAction(actions...)
}
