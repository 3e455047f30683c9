package controllers

import (
	"github.com/gin-gonic/gin"

	"healthcare/models"
)

// Doctors answers /api/doctors/.
type Doctors struct{ DB *models.DB }

// A doctor in the list of a patient's doctors can be sent back too, so its fields are what clients are shown.
type shownDoctor = models.AssignedDoctor

// Create answers POST /api/doctors/.
func (d Doctors) Create(c *gin.Context) error {
	return create(c, bindAll[shownDoctor, models.DoctorFields], d.DB.CreateDoctor)
}

// List answers GET /api/doctors/.
func (d Doctors) List(c *gin.Context) error { return list(c, d.DB.Doctors) }

// Retrieve answers GET /api/doctors/<id>/.
func (d Doctors) Retrieve(c *gin.Context) error { return retrieve(c, d.DB.Doctor) }

// Replace answers PUT /api/doctors/<id>/.
func (d Doctors) Replace(c *gin.Context) error {
	return update(c, bindAll[shownDoctor, models.DoctorFields], d.DB.UpdateDoctor)
}

// Update answers PATCH /api/doctors/<id>/.
func (d Doctors) Update(c *gin.Context) error {
	return update(c, bindGiven[shownDoctor, models.DoctorFields], d.DB.UpdateDoctor)
}

// Delete answers DELETE /api/doctors/<id>/.
func (d Doctors) Delete(c *gin.Context) error { return destroy(c, d.DB.DeleteDoctor) }

// Restore answers POST /api/doctors/<id>/restore/.
func (d Doctors) Restore(c *gin.Context) error { return retrieve(c, d.DB.RestoreDoctor) }

// History answers GET /api/doctors/<id>/history/.
func (d Doctors) History(c *gin.Context) error { return listOf(c, d.DB.DoctorHistory) }
