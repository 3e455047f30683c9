package models

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"gorm.io/gorm"

	"healthcare/apierror"
	"healthcare/listing"
)

// CareTeam is a patient's doctors together.
type CareTeam struct {
	Patient   PatientName
	Members   []AssignedDoctor // by the number of the assignment
	Version   string           // see careTeams
	UpdatedAt time.Time
}

// ETag is the version as an entity tag.
func (t *CareTeam) ETag() string { return `"` + t.Version + `"` }

// CareTeam finds the doctors of one patient that the actor may see.
func (db *DB) CareTeam(ctx context.Context, by Actor, patient int64) (*CareTeam, error) {
	var team *CareTeam
	err := db.snapshot(ctx, func(q *gorm.DB) (err error) {
		team, err = careTeam(q, by, patient)
		return err
	})
	return team, db.audit(by.event(now(), ActionList, Subject{Object: objectMapping, PatientID: patient}), err)
}

func careTeam(q *gorm.DB, by Actor, patient int64) (*CareTeam, error) {
	var p Patient
	if err := q.Scopes(by.owns("created_by")).Select("id", "name", "created_at").Take(&p, patient).Error; err != nil {
		return nil, err
	}
	teams, err := careTeams(q, []Patient{p})
	if err != nil {
		return nil, err
	}
	return &teams[0], nil
}

// careTeams are the doctors of each of some patients, in as many queries as of one. The version of a team is the number of the
// newest event that changed it, and how many there are: on PostgreSQL an event with a lower number may be committed later.
func careTeams(q *gorm.DB, patients []Patient) ([]CareTeam, error) {
	teams, ids, at := make([]CareTeam, len(patients)), make([]int64, len(patients)), map[int64]*CareTeam{}
	for i, p := range patients {
		teams[i] = CareTeam{Patient: PatientName{p.ID, p.Name}, UpdatedAt: p.CreatedAt}
		ids[i], at[p.ID] = p.ID, &teams[i]
	}
	if len(patients) == 0 {
		return teams, nil
	}
	var members []struct {
		AssignedDoctor
		PatientID int64
	}
	assigned := q.Model(&Doctor{}).Select("doctors.*, mappings.id AS mapping_id, mappings.created_at AS assigned_at, mappings.patient_id").
		Joins("JOIN mappings ON mappings.doctor_id = doctors.id AND mappings.deleted_at IS NULL").Scopes(among("mappings.patient_id", ids))
	if err := assigned.Order("mappings.id").Find(&members).Error; err != nil {
		return nil, err
	}
	for _, m := range members {
		at[m.PatientID].Members = append(at[m.PatientID].Members, m.AssignedDoctor)
	}
	newest := q.Model(&Event{}).Select("max(events.id) AS id, count(*) AS number").Scopes(among("events.patient_id", ids), changesOnly).
		Where("object = ? OR action IN ?", objectMapping, []string{ActionCreate, ActionMerge, ActionUnmerge}).Group("events.patient_id")
	var changes []struct {
		ID, PatientID, Number int64
		At                    time.Time
	}
	last := q.Model(&Event{}).Select("events.id, events.at, events.patient_id, newest.number").Joins("JOIN (?) AS newest ON newest.id = events.id", newest)
	if err := last.Find(&changes).Error; err != nil {
		return nil, err
	}
	for _, e := range changes {
		at[e.PatientID].Version, at[e.PatientID].UpdatedAt = fmt.Sprintf("%d-%d", e.ID, e.Number), e.At
	}
	return teams, nil
}

// ChangeCareTeam makes some doctors the doctors of a patient, in one transaction. Choose is told who they are, and says who
// they shall be.
func (db *DB) ChangeCareTeam(ctx context.Context, by Actor, patient int64, choose func(now *CareTeam) ([]int64, error)) (*CareTeam, error) {
	var team *CareTeam
	changed := false
	err := db.Write(ctx, by, func(tx *Tx) error {
		tx.auditIfRefused(ActionAssign, Subject{Object: objectMapping, PatientID: patient})
		if err := tx.Scopes(by.owns("created_by"), tx.forUpdate).Select("id").Take(&Patient{}, patient).Error; err != nil {
			return err
		}
		was, err := careTeam(tx.DB, by, patient)
		if err != nil {
			return err
		}
		if err := by.checkIfMatch(was.ETag()); err != nil {
			return err
		}
		wanted, err := choose(was)
		if err != nil {
			return err
		}
		within := by
		within.within, within.IfMatch = tx, ""
		changed = false
		for _, m := range was.Members {
			if !slices.Contains(wanted, m.ID) {
				changed = true
				err := db.Unassign(ctx, within, m.MappingID)
				if err != nil && !errors.Is(err, gorm.ErrRecordNotFound) { // another has just done it
					return err
				}
			}
		}
		for _, doctor := range wanted {
			if slices.ContainsFunc(was.Members, func(m AssignedDoctor) bool { return m.ID == doctor }) {
				continue
			}
			changed = true
			_, err := db.Assign(ctx, within, func(in *MappingFields) apierror.Fields {
				*in = MappingFields{patient, doctor}
				return apierror.Fields{}
			})
			if err != nil {
				return err
			}
		}
		team, err = careTeam(tx.DB, by, patient)
		return err
	})
	if err == nil && !changed {
		err = db.audit(by.event(now(), ActionList, Subject{Object: objectMapping, PatientID: patient}), nil)
	}
	return team, err
}

// FindCareTeams lists the care teams of the patients that the actor may see and of whom the condition is true.
func (db *DB) FindCareTeams(ctx context.Context, by Actor, where Condition, values url.Values, count bool) (*Found[CareTeam], error) {
	by.onPrimary = true // as their doctors are read there
	patients, err := db.FindPatients(ctx, by, where, values, count)
	if err != nil {
		return nil, err
	}
	var teams []CareTeam
	err = db.snapshot(ctx, func(q *gorm.DB) (err error) {
		teams, err = careTeams(q, patients.Results)
		return err
	})
	if err != nil {
		return nil, apierror.FromDatabase(err)
	}
	page := &listing.Page[CareTeam]{Results: teams, NextCursor: patients.NextCursor, PreviousCursor: patients.PreviousCursor}
	return &Found[CareTeam]{page, patients.Total}, nil
}
