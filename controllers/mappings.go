package controllers

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"healthcare/middleware"
	"healthcare/models"
)

// Mappings answers /api/mappings/ and /api/doctor/mappings/.
type Mappings struct{ DB *models.DB }

// Create answers POST /api/mappings/.
func (m Mappings) Create(c *gin.Context) error {
	return create(c, bindAll[models.Assignment, models.MappingFields], m.DB.Assign)
}

// List answers GET /api/mappings/.
func (m Mappings) List(c *gin.Context) error { return list(c, m.DB.Mappings) }

// Doctors answers GET /api/mappings/<patient id>/.
func (m Mappings) Doctors(c *gin.Context) error { return listOf(c, m.DB.DoctorsOf) }

// Delete answers DELETE /api/mappings/<mapping id>/.
func (m Mappings) Delete(c *gin.Context) error { return destroy(c, m.DB.Unassign) }

// Remove answers POST /api/doctor/mappings/<patient id>/remove/.
func (m Mappings) Remove(c *gin.Context) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	b, err := readBody(c)
	if err != nil {
		return err
	}
	bind := bindAll[models.Assignment, models.Removal](b)
	if err := m.DB.UnassignDoctor(c.Request.Context(), middleware.Actor(c), id, bind); err != nil {
		return b.asCalled(err)
	}
	c.PureJSON(http.StatusOK, gin.H{"message": "Doctor removed from patient."})
	return nil
}
