package controllers

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"healthcare/apierror"
	"healthcare/middleware"
	"healthcare/models"
)

// Patients answers /api/patients/.
type Patients struct{ DB *models.DB }

// Create answers POST /api/patients/.
func (p Patients) Create(c *gin.Context) error {
	strict := slices.ContainsFunc(preferences(c, "handling"), func(v string) bool { return strings.EqualFold(v, "strict") })
	return create(c, bindAll[models.Patient, models.PatientFields],
		func(ctx context.Context, by models.Actor, bind models.Bind[models.PatientFields]) (*models.Patient, error) {
			by.Strict = strict
			return p.DB.CreatePatient(ctx, by, bind)
		})
}

// Match answers POST /api/patients/match/.
func (p Patients) Match(c *gin.Context) error {
	b, err := readBody(c)
	if err != nil {
		return err
	}
	found, err := p.DB.Match(c.Request.Context(), middleware.Actor(c), bindAll[models.Patient, models.MatchFields](b))
	if err != nil {
		return err
	}
	respond(c, http.StatusOK, found)
	return nil
}

// List answers GET /api/patients/.
func (p Patients) List(c *gin.Context) error { return list(c, p.DB.Patients) }

// Retrieve answers GET /api/patients/<id>/.
func (p Patients) Retrieve(c *gin.Context) error { return retrieve(c, p.DB.Patient) }

// Replace answers PUT /api/patients/<id>/. Who created a patient is read-only here.
func (p Patients) Replace(c *gin.Context) error {
	return update(c, fieldsOnly(bindAll[models.Patient, models.PatientFields]), p.DB.UpdatePatient)
}

// Update answers PATCH /api/patients/<id>/. Staff may hand the patient over.
func (p Patients) Update(c *gin.Context) error {
	if middleware.Actor(c).IsStaff {
		return update(c, bindGiven[models.Patient, models.PatientUpdate], p.DB.UpdatePatient)
	}
	return update(c, fieldsOnly(bindGiven[models.Patient, models.PatientFields]), p.DB.UpdatePatient)
}

// fieldsOnly binds a patient's fields, and leaves alone who created it.
func fieldsOnly(bind func(body) models.Bind[models.PatientFields]) func(body) models.Bind[models.PatientUpdate] {
	return func(b body) models.Bind[models.PatientUpdate] {
		bindFields := bind(b)
		return func(in *models.PatientUpdate) apierror.Fields { return bindFields(&in.PatientFields) }
	}
}

// Delete answers DELETE /api/patients/<id>/.
func (p Patients) Delete(c *gin.Context) error { return destroy(c, p.DB.DeletePatient) }

// Restore answers POST /api/patients/<id>/restore/.
func (p Patients) Restore(c *gin.Context) error { return retrieve(c, p.DB.RestorePatient) }

// Merge answers POST /api/patients/<id>/merge/.
func (p Patients) Merge(c *gin.Context) error {
	return update(c, bindAll[models.Merge, models.Merge], p.DB.MergePatients)
}

// Unmerge answers POST /api/patients/<id>/unmerge/.
func (p Patients) Unmerge(c *gin.Context) error { return retrieve(c, p.DB.UnmergePatient) }

// History answers GET /api/patients/<id>/history/.
func (p Patients) History(c *gin.Context) error { return listOf(c, p.DB.PatientHistory) }
