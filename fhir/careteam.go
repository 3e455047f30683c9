package fhir

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"time"

	"healthcare/models"
)

// CareTeam is who the doctors of a patient are: one for each patient, with the patient's id.
func CareTeam(team *models.CareTeam) Resource {
	id := strconv.FormatInt(team.Patient.ID, 10)
	var participants []Resource
	for _, m := range team.Members {
		participants = append(participants, Resource{
			{"id", strconv.FormatInt(m.MappingID, 10)},
			{"member", Resource{{"reference", fmt.Sprint("Practitioner/", m.ID)}, {"display", shown(m.Name)}}},
			{"period", Resource{{"start", Instant(m.AssignedAt)}}},
		})
	}
	out := Resource{
		{"resourceType", "CareTeam"},
		{"id", id},
		{"meta", Meta(team.Version, team.UpdatedAt)},
		{"status", statusOf(len(team.Members))},
		{"subject", Resource{{"reference", "Patient/" + id}, {"display", shown(team.Patient.Name)}}},
	}
	if participants != nil {
		out = append(out, Element{"participant", participants})
	}
	return out
}

// careTeam is the table of CareTeam. What is stored may come back as it is shown, and only the members may change.
var careTeam = parts{
	"resourceType": ignored, "id": ignored, "meta": ignored, "language": dropped, "text": dropped, "status": stored, "subject": stored,
	"participant": stored, "implicitRules": refused, "contained": refused, "modifierExtension": refused, "identifier": refused,
	"category": refused, "name": refused, "encounter": refused, "period": refused, "reasonCode": refused, "reasonReference": refused,
	"managingOrganization": refused, "telecom": refused, "note": refused,
}

var memberOf = regexp.MustCompile(`^Practitioner/([1-9][0-9]{0,17})$`)

// ReadCareTeam reads the doctors that a patient shall have. What is shown besides must come back as it was shown.
func ReadCareTeam(raw []byte, now *models.CareTeam) (doctors []int64, warnings Issues, err error) {
	whole, wrong := parse(raw, "CareTeam")
	if whole == nil {
		return nil, nil, wrong
	}
	in := &input{wrong: wrong}
	if whole["resourceType"] != "CareTeam" {
		in.invalid("invalid", "", "This is no CareTeam: resourceType must be CareTeam.")
		return nil, nil, in.wrong.Err()
	}
	all, _ := in.object("CareTeam", "A CareTeam", whole, careTeam)
	if all["meta"] != nil {
		readMeta(in, "CareTeam.meta", all["meta"])
	}
	if in.text("CareTeam.id", all["id"]) != strconv.FormatInt(now.Patient.ID, 10) {
		in.invalid("invalid", "CareTeam.id", "The id must be that of the address.")
	}
	patient := fmt.Sprint("Patient/", now.Patient.ID)
	in.reference("CareTeam.subject", all["subject"], patient, now.Patient.Name)
	if all["participant"] != nil {
		for i, one := range in.list("CareTeam.participant", all["participant"]) {
			if doctor := in.member(index("CareTeam.participant", i), one, now); slices.Contains(doctors, doctor) {
				in.refuse("duplicate", index("CareTeam.participant", i)+".member", "This member is given twice.")
			} else if doctor != 0 {
				doctors = append(doctors, doctor)
			}
		}
	}
	in.status(all["status"], len(doctors))
	return doctors, in.warnings, in.wrong.Err()
}

// status refuses a status that is not what the members make it.
func (in *input) status(value any, doctors int) {
	told := len(in.wrong)
	status := in.code("CareTeam.status", value, "proposed", "active", "suspended", "inactive", "entered-in-error")
	if status != "" && status != statusOf(doctors) && len(in.wrong) == told {
		in.refuse("business-rule", "CareTeam.status", "The status is active while there is a member, else inactive. Leave it out.")
	}
}

func statusOf(members int) string {
	if members > 0 {
		return "active"
	}
	return "inactive"
}

// member reads one participant: the number of a doctor, or 0.
func (in *input) member(at string, value any, now *models.CareTeam) int64 {
	participant, ok := in.object(at, "A participant", value, parts{
		"id": stored, "member": stored, "period": stored, "role": refused, "onBehalfOf": refused, "modifierExtension": refused,
	})
	if !ok {
		return 0
	}
	member, ok := in.object(at+".member", "A Reference", participant["member"], parts{
		"reference": stored, "display": stored, "type": dropped, "identifier": refused,
	})
	if !ok {
		return 0
	}
	found := memberOf.FindStringSubmatch(in.text(at+".member.reference", member["reference"]))
	if found == nil {
		in.refuse("not-supported", at+".member.reference", "A member is a doctor: Practitioner/ and the number.")
		return 0
	}
	doctor, _ := strconv.ParseInt(found[1], 10, 64)
	i := slices.IndexFunc(now.Members, func(m models.AssignedDoctor) bool { return m.ID == doctor })
	var was models.AssignedDoctor
	if i >= 0 {
		was = now.Members[i]
	}
	in.unchanged(at+".id", participant["id"], strconv.FormatInt(was.MappingID, 10), i >= 0)
	in.unchanged(at+".member.display", member["display"], shown(was.Name), i >= 0)
	if period := participant["period"]; period != nil {
		if p, ok := in.object(at+".period", "A Period", period, parts{"start": stored, "end": refused}); ok && p["start"] != nil {
			start, err := time.Parse(time.RFC3339Nano, in.text(at+".period.start", p["start"]))
			if err != nil || i < 0 || !start.Equal(was.AssignedAt) {
				in.refuse("business-rule", at+".period.start", "The server says since when a member is one. Leave it out.")
			}
		}
	}
	return doctor
}

// unchanged refuses what the server says itself, unless it came back as it was shown.
func (in *input) unchanged(at string, value any, was string, known bool) {
	if value != nil && (!known || in.text(at, value) != was) {
		in.refuse("business-rule", at, "The server says this itself. Leave it out.")
	}
}

// reference reads a reference that may not change.
func (in *input) reference(at string, value any, wanted, display string) {
	if value == nil {
		return
	}
	ref, ok := in.object(at, "A Reference", value, parts{"reference": stored, "display": stored, "type": dropped, "identifier": refused})
	if ok && in.text(at+".reference", ref["reference"]) != wanted {
		in.refuse("business-rule", at+".reference", "This must stay "+wanted+".")
	}
	if ok {
		in.unchanged(at+".display", ref["display"], shown(display), true)
	}
}
