package controllers

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

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
	return submit(c, http.StatusOK, bindAll[models.Patient, models.MatchFields], p.DB.Match)
}

// List answers GET /api/patients/.
func (p Patients) List(c *gin.Context) error { return list(c, p.DB.Patients) }

// Retrieve answers GET /api/patients/<id>/.
func (p Patients) Retrieve(c *gin.Context) error { return retrieve(c, p.DB.Patient) }

// Replace answers PUT /api/patients/<id>/. Who created a patient is read-only here.
func (p Patients) Replace(c *gin.Context) error {
	return update(c, bindAll[models.Patient, models.PatientFields], p.DB.UpdatePatientFields)
}

// Update answers PATCH /api/patients/<id>/. Staff may hand the patient over.
func (p Patients) Update(c *gin.Context) error {
	if middleware.Actor(c).IsStaff {
		return update(c, bindGiven[models.Patient, models.PatientUpdate], p.DB.UpdatePatient)
	}
	return update(c, bindGiven[models.Patient, models.PatientFields], p.DB.UpdatePatientFields)
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
