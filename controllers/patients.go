package controllers

import (
	"github.com/gin-gonic/gin"

	"healthcare/models"
)

// Patients answers /api/patients/.
type Patients struct{ DB *models.DB }

// Create answers POST /api/patients/.
func (p Patients) Create(c *gin.Context) error {
	return create(c, whole[models.Patient, models.PatientFields], p.DB.CreatePatient)
}

// List answers GET /api/patients/.
func (p Patients) List(c *gin.Context) error { return list(c, p.DB.Patients) }

// Retrieve answers GET /api/patients/<id>/.
func (p Patients) Retrieve(c *gin.Context) error { return retrieve(c, p.DB.Patient) }

// Replace answers PUT /api/patients/<id>/.
func (p Patients) Replace(c *gin.Context) error {
	return update(c, whole[models.Patient, models.PatientFields], p.DB.UpdatePatient)
}

// Update answers PATCH /api/patients/<id>/.
func (p Patients) Update(c *gin.Context) error {
	return update(c, partial[models.Patient, models.PatientFields], p.DB.UpdatePatient)
}

// Delete answers DELETE /api/patients/<id>/.
func (p Patients) Delete(c *gin.Context) error { return destroy(c, p.DB.DeletePatient) }
