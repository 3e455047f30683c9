// Package routes is the one place that puts the program together: New is called by main and by every test.
package routes

import (
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/gin-gonic/gin"

	"healthcare/apierror"
	"healthcare/config"
	"healthcare/controllers"
	"healthcare/metrics"
	"healthcare/middleware"
	"healthcare/models"
)

// Handler is the whole API.
type Handler struct {
	http.Handler
	// Routes are the methods and paths that it has.
	Routes gin.RoutesInfo
	// Metrics answers what Prometheus asks, on a listener of its own; nil without METRICS_ADDR.
	Metrics http.Handler

	stopping *atomic.Bool
}

// Stop makes /readyz say that no more requests should come, and asks each client to connect anew, to another instance.
func (h *Handler) Stop() { h.stopping.Store(true) }

// ServeHTTP answers one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h.stopping.Load() {
		w.Header().Set("Connection", "close") // net/http then closes the connection after the answer
	}
	h.Handler.ServeHTTP(w, r)
}

// How many requests may be at work at once. What hashes a password has places of its own: as many as a core hashes within
// the time that a request may take, and one for each account.
const (
	loginsAtOnce       = 200
	leastAtOnce        = 64 // or four for each connection to the database
	shareOfAnAccount   = 4  // one in so many places
	passwordsOfAccount = 1
)

// New puts the API together. Paths are registered without their trailing slash; each works with and without it.
func New(cfg *config.Config, db *models.DB, log *slog.Logger) (*Handler, error) {
	gin.SetMode(gin.ReleaseMode)
	tokens, err := middleware.NewTokens(cfg, db)
	if err != nil {
		return nil, err
	}
	pages, err := controllers.NewDocs(cfg)
	if err != nil {
		return nil, err
	}
	desk, err := controllers.NewConsole()
	if err != nil {
		return nil, err
	}
	var counted *metrics.Metrics
	if cfg.MetricsAddr != "" {
		counted = metrics.New(db)
	}
	r, err := engine(cfg, log, counted)
	if err != nil {
		return nil, err
	}

	h := middleware.Handle
	stopping := &atomic.Bool{}
	health := controllers.Health{DB: db, Stopping: stopping}
	auth := controllers.Auth{DB: db, Config: cfg, Tokens: tokens}
	patients := controllers.Patients{DB: db}
	doctors := controllers.Doctors{DB: db}
	users := controllers.Users{DB: db}
	audit := controllers.Audit{DB: db}
	mappings := controllers.Mappings{DB: db}
	imports := controllers.NewImports(db)

	r.GET("/healthz", h(health.Live))
	r.GET("/readyz", h(health.Ready))

	r.GET("/", h(pages.Home))
	r.GET("/accept", h(pages.Accept))
	r.GET("/docs", h(pages.Reference))
	r.GET("/docs/:file", h(pages.File))
	r.GET("/openapi.yaml", h(pages.YAML))
	r.GET("/openapi.json", h(pages.JSON))

	r.GET("/console", h(desk.Shell))
	r.GET("/console/*path", h(desk.Page))

	places := func(of string, most, share int) gin.HandlerFunc {
		p := middleware.NewPlaces(most, share)
		counted.Places(of, most, p.InUse)
		return middleware.LimitConcurrency(p)
	}
	hashing := places("auth", loginsAtOnce, passwordsOfAccount)
	public := r.Group("/api", middleware.RateLimit(cfg.AuthRateLimit), middleware.Body, hashing)
	public.POST("/auth/register", h(auth.Register))
	public.POST("/auth/login", h(auth.Login))
	public.POST("/auth/refresh", h(auth.Refresh))
	public.POST("/auth/accept", h(auth.Accept))
	public.POST("/auth/forgot", h(auth.Forgot))
	r.POST("/api/auth/verify", middleware.Body, h(auth.Verify))

	accountLimit := middleware.AccountRateLimit(cfg.AccountRateLimit)
	password := r.Group("/api", middleware.RateLimit(cfg.AuthRateLimit), tokens.Require, accountLimit, middleware.Body, hashing)
	password.POST("/auth/password", h(auth.Password))

	atOnce := max(leastAtOnce, 4*cfg.MaxConns)
	api := r.Group("/api", tokens.Require, accountLimit, middleware.Body, places("api", atOnce, atOnce/shareOfAnAccount))
	api.GET("/auth/me", h(auth.Me))
	api.PATCH("/auth/me", h(auth.UpdateMe))
	api.POST("/auth/logout", h(auth.Logout))
	api.GET("/auth/sessions", h(auth.Sessions))
	api.DELETE("/auth/sessions/:id", h(auth.EndSession))

	api.POST("/patients", h(patients.Create))
	api.GET("/patients", h(patients.List))
	api.POST("/patients/match", h(patients.Match))
	api.GET("/patients/:id", h(patients.Retrieve))
	api.PUT("/patients/:id", h(patients.Replace))
	api.PATCH("/patients/:id", h(patients.Update))
	api.DELETE("/patients/:id", h(patients.Delete))
	api.GET("/patients/:id/history", h(patients.History))
	api.POST("/patients/:id/restore", h(patients.Restore))
	api.POST("/patients/:id/merge", h(patients.Merge))
	api.POST("/patients/:id/unmerge", h(patients.Unmerge))

	exports := r.Group("/api", tokens.Require, accountLimit, middleware.Exports())
	exports.GET("/patients/export", h(patients.Export))
	exports.GET("/patients/:id/export", h(patients.Report))
	exports.GET("/doctors/export", h(doctors.Export))
	exports.GET("/mappings/export", h(mappings.Export))

	api.POST("/doctors", h(doctors.Create))
	api.GET("/doctors", h(doctors.List))
	api.GET("/doctors/:id", h(doctors.Retrieve))
	api.PUT("/doctors/:id", h(doctors.Replace))
	api.PATCH("/doctors/:id", h(doctors.Update))
	api.DELETE("/doctors/:id", h(doctors.Delete))
	api.GET("/doctors/:id/history", h(doctors.History))
	api.POST("/doctors/:id/restore", h(doctors.Restore))

	api.POST("/mappings", h(mappings.Create))
	api.GET("/mappings", h(mappings.List))
	api.GET("/mappings/:id", h(mappings.Doctors))   // the patient's id
	api.DELETE("/mappings/:id", h(mappings.Delete)) // the mapping's id

	api.POST("/doctor/mappings", h(mappings.Create))
	api.GET("/doctor/mappings", h(mappings.List))
	api.GET("/doctor/mappings/:id", h(mappings.Doctors))        // the patient's id
	api.POST("/doctor/mappings/:id/remove", h(mappings.Remove)) // the patient's id

	api.GET("/users", h(users.List))
	api.POST("/users", h(users.Invite))
	api.GET("/users/:id", h(users.Retrieve))
	api.PATCH("/users/:id", h(users.Update))
	api.POST("/users/:id/unlock", h(users.Unlock))
	api.POST("/users/:id/reset", h(users.Reset))
	api.GET("/audit", h(audit.List))

	api.GET("/imports", h(imports.List))
	api.GET("/imports/:id", h(imports.Retrieve))
	api.POST("/imports/:id/undo", h(imports.Undo))
	r.POST("/api/imports", tokens.Require, accountLimit, h(imports.Create)) // whose body is a file

	fhirRoutes(r, db, tokens.Require, accountLimit, middleware.Body, places("fhir", atOnce, atOnce/shareOfAnAccount))

	return &Handler{Handler: canonical(r), Routes: r.Routes(), Metrics: counted.Handler(), stopping: stopping}, nil
}

// engine sets up what every request passes, in this order.
func engine(cfg *config.Config, log *slog.Logger, counted *metrics.Metrics) (*gin.Engine, error) {
	r := gin.New()
	r.RedirectTrailingSlash = false
	r.HandleMethodNotAllowed = true
	r.RemoteIPHeaders = []string{"X-Forwarded-For"}
	proxies := make([]string, len(cfg.TrustedProxies))
	for i, n := range cfg.TrustedProxies {
		proxies[i] = n.String()
	}
	if err := r.SetTrustedProxies(proxies); err != nil {
		return nil, err
	}
	if cfg.OpenTelemetry.Traces() {
		r.Use(middleware.Trace())
	}
	r.Use(
		middleware.RequestID,
		middleware.Log(log, counted, cfg.SlowRequest),
		middleware.Problems,
		middleware.Secure,
		middleware.CORS(cfg.CORSAllowedOrigins),
		middleware.Forwarded(cfg.TrustedProxies),
		middleware.Timeout(cfg.RequestTimeout, cfg.SlowRequest > 0),
	)
	r.NoRoute(middleware.Handle(func(*gin.Context) error { return apierror.ErrNotFound }))
	r.NoMethod(middleware.Handle(noMethod))
	return r, nil
}

// noMethod tells which methods a path has; for OPTIONS that is the answer, for others part of the error.
func noMethod(c *gin.Context) error {
	allowed := strings.Split(c.Writer.Header().Get("Allow"), ", ")
	if slices.Contains(allowed, http.MethodGet) {
		allowed = append(allowed, http.MethodHead)
	}
	allowed = append(allowed, http.MethodOptions)
	slices.Sort(allowed)
	c.Header("Allow", strings.Join(allowed, ", "))
	if c.Request.Method == http.MethodOptions {
		c.Status(http.StatusNoContent)
		return nil
	}
	return &apierror.Error{Code: apierror.MethodNotAllowed, Detail: "Method not allowed. This path has: " + strings.Join(allowed, ", ") + "."}
}

// canonical lets a path be written with or without its trailing slash, without a redirect (which would lose the body
// or the token in many clients), and HEAD be asked wherever GET is.
func canonical(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if path, slashed := strings.CutSuffix(r.URL.Path, "/"); slashed && path != "" {
			r.URL.Path, r.URL.RawPath = path, ""
		}
		if r.Method == http.MethodHead {
			r = r.WithContext(r.Context()) // a copy: net/http still needs to know that it was HEAD
			r.Method = http.MethodGet
		}
		next.ServeHTTP(w, r)
	})
}
