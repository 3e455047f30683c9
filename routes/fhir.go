package routes

import (
	"time"

	"github.com/gin-gonic/gin"

	"healthcare/controllers"
	"healthcare/fhir"
	"healthcare/middleware"
	"healthcare/models"
)

// fhirRoutes are what is below /fhir.
func fhirRoutes(r *gin.Engine, db *models.DB, passes ...gin.HandlerFunc) {
	h := middleware.Handle
	patients := controllers.FHIR[models.PatientFields, models.Patient]{
		Type: "Patient", Parse: fhir.ReadPatient, Show: fhir.Patient, Find: db.Patient, Search: db.FindPatients,
		Store: db.CreatePatientUnless, Change: db.UpdatePatientFields, Delete: db.DeletePatient, Versions: db.PatientVersions, Gone: db.PatientGone,
	}
	doctors := controllers.FHIR[models.DoctorFields, models.Doctor]{
		Type: "Practitioner", Parse: fhir.ReadPractitioner, Show: fhir.Practitioner, Find: db.Doctor, Search: db.FindDoctors,
		Store: db.CreateDoctorUnless, Change: db.UpdateDoctor, Delete: db.DeleteDoctor, Versions: db.DoctorVersions, Gone: db.DoctorGone,
	}
	teams := controllers.CareTeams{ChangeMembers: db.ChangeCareTeam}
	teams.FHIR = controllers.FHIR[struct{}, models.CareTeam]{
		Type: "CareTeam", Show: fhir.CareTeam, Find: db.CareTeam, Search: db.FindCareTeams, Gone: db.PatientGone,
	}
	trail := controllers.FHIR[struct{}, models.AuditEntry]{Type: "AuditEvent", Show: fhir.AuditEvent, Find: db.AuditEntry, Search: db.FindAudit}
	r.GET("/fhir/metadata", h(controllers.WantsJSON), h(controllers.Metadata(time.Now())))
	g := r.Group("/fhir", append(passes, h(controllers.WantsJSON))...)

	g.POST("/Patient", h(patients.Create))
	g.GET("/Patient", h(patients.SearchAll))
	g.POST("/Patient/_search", h(patients.SearchAll))
	g.GET("/Patient/:id", h(patients.Read))
	g.PUT("/Patient/:id", h(patients.Update))
	g.DELETE("/Patient/:id", h(patients.Remove))
	g.GET("/Patient/:id/_history", h(patients.History))
	g.GET("/Patient/:id/_history/:version", h(patients.VRead))

	g.POST("/Practitioner", h(doctors.Create))
	g.GET("/Practitioner", h(doctors.SearchAll))
	g.POST("/Practitioner/_search", h(doctors.SearchAll))
	g.GET("/Practitioner/:id", h(doctors.Read))
	g.PUT("/Practitioner/:id", h(doctors.Update))
	g.DELETE("/Practitioner/:id", h(doctors.Remove))
	g.GET("/Practitioner/:id/_history", h(doctors.History))
	g.GET("/Practitioner/:id/_history/:version", h(doctors.VRead))

	for _, kind := range []string{"Patient", "Practitioner", "CareTeam"} {
		g.PUT("/"+kind, h(controllers.NotSupported("An update needs the id in its address: there are no conditional updates.")))
		g.DELETE("/"+kind, h(controllers.NotSupported("A deletion needs the id in its address: there are no conditional deletions.")))
	}
	g.POST("", h(controllers.NotSupported("There are no batches and transactions.")))

	g.GET("/AuditEvent", h(trail.SearchAll))
	g.POST("/AuditEvent/_search", h(trail.SearchAll))
	g.GET("/AuditEvent/:id", h(trail.Read))

	g.GET("/CareTeam", h(teams.SearchAll))
	g.POST("/CareTeam/_search", h(teams.SearchAll))
	g.GET("/CareTeam/:id", h(teams.Read))
	g.PUT("/CareTeam/:id", h(teams.Update))
}
