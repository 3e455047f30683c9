package controllers

import (
	"context"
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"healthcare/apierror"
	"healthcare/fhir"
	"healthcare/middleware"
	"healthcare/models"
)

// CareTeams answers /fhir/CareTeam: the doctors of a patient, with the patient's id. A team is gone when its patient is.
type CareTeams struct {
	FHIR[struct{}, models.CareTeam]
	ChangeMembers func(context.Context, models.Actor, int64, func(*models.CareTeam) ([]int64, error)) (*models.CareTeam, error)
}

// Update answers PUT /fhir/CareTeam/<id>.
func (t CareTeams) Update(c *gin.Context) error {
	id, raw, err := updateOf(c)
	if err != nil {
		return err
	}
	var warnings fhir.Issues
	team, err := t.ChangeMembers(c.Request.Context(), middleware.Actor(c), id, func(now *models.CareTeam) (doctors []int64, err error) {
		doctors, warnings, err = fhir.ReadCareTeam(raw, now)
		return doctors, err
	})
	var known *apierror.Error
	switch {
	case errors.Is(err, apierror.ErrNotFound):
		return t.noSuchUpdate(c, id, "GET, HEAD, OPTIONS")
	case errors.As(err, &known) && known.Fields["doctor_id"] != nil:
		return fhir.Issues{{Code: "business-rule", At: "CareTeam.participant", Says: known.Fields["doctor_id"][0], Refused: true}}
	case err != nil:
		return err
	}
	return t.stored(c, http.StatusOK, team, warnings)
}
