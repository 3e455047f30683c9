package tests

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/glebarez/sqlite"
	"github.com/stretchr/testify/require"
	gormpostgres "gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"healthcare/config"
	"healthcare/fastgorm"
	"healthcare/models"
	"healthcare/tests/kit"
)

// Run with: go test -run '^$' -bench . -benchmem ./tests

const benchPatients = 200

// BenchmarkAPI sends requests through the real router, without a network: what one request allocates, and how long it
// takes when it is alone.
func BenchmarkAPI(b *testing.B) {
	benchOnBoth(b, func(b *testing.B, cfg *config.Config) {
		api := newBenchAPI(b, cfg)
		patch := func(n int) string { return fmt.Sprintf(`{"phone": "+44 20 %08d"}`, n) }
		whole := func(n int) string {
			return fmt.Sprintf(`{"name": "Jürgen Weiß", "gender": "male", "blood_group": "A+", "phone": "+44 20 %08d"}`, n)
		}
		for _, r := range []struct {
			name, method, path string
			body               func(int) string
			status             int
		}{
			{"one patient", "GET", "/api/patients/7/", nil, 200},
			{"one patient as FHIR", "GET", "/fhir/Patient/7", nil, 200},
			{"list of 20", "GET", "/api/patients/", nil, 200},
			{"list of 20 as FHIR", "GET", "/fhir/Patient?_total=none", nil, 200},
			{"cursor", "GET", "/api/patients/?cursor=", nil, 200},
			{"search", "GET", "/api/patients/?search=m%C3%BCller", nil, 200},
			{"mappings", "GET", "/api/mappings/", nil, 200},
			{"doctors of a patient", "GET", "/api/mappings/7/", nil, 200},
			{"update", "PATCH", "/api/patients/7/", patch, 200},
			{"create", "POST", "/api/patients/", whole, 201},
		} {
			b.Run(r.name, func(b *testing.B) {
				b.ReportAllocs()
				for n := 0; b.Loop(); n++ {
					body := ""
					if r.body != nil {
						body = r.body(n)
					}
					api.do(r.method, r.path, body, r.status)
				}
			})
		}
	})
}

// BenchmarkQuery finds one patient by the same SQL on the same connection, through GORM and written by hand.
func BenchmarkQuery(b *testing.B) {
	benchOnBoth(b, func(b *testing.B, cfg *config.Config) {
		newBenchAPI(b, cfg)
		driver, dsn := "sqlite", cfg.Database.SQLite
		if cfg.Database.Postgres != "" {
			driver, dsn = "pgx", cfg.Database.Postgres
		}
		pool, err := sql.Open(driver, dsn)
		require.NoError(b, err)
		pool.SetMaxOpenConns(1)
		b.Cleanup(func() { require.NoError(b, pool.Close()) })
		dialector := gorm.Dialector(&sqlite.Dialector{Conn: pool})
		if driver == "pgx" {
			dialector = gormpostgres.New(gormpostgres.Config{Conn: pool})
		}
		orm, err := gorm.Open(dialector, &gorm.Config{Logger: logger.Discard, SkipDefaultTransaction: true})
		require.NoError(b, err)
		fast, err := gorm.Open(dialector, &gorm.Config{Logger: logger.Discard, SkipDefaultTransaction: true})
		require.NoError(b, err)
		require.NoError(b, fast.Use(&fastgorm.Plugin{}))

		const columns = "id, name, date_of_birth, gender, phone, email, address, blood_group, allergies, medical_history, created_by, created_at, updated_at, version"
		for name, db := range map[string]*gorm.DB{"gorm": orm, "gorm with the plugin": fast} {
			b.Run(name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					var p models.Patient
					require.NoError(b, db.WithContext(b.Context()).Select(columns).Where("created_by = ?", 1).Where("id = ?", 7).Take(&p).Error)
				}
			})
		}
		b.Run("database/sql", func(b *testing.B) {
			b.ReportAllocs()
			query := "SELECT " + columns + " FROM patients WHERE created_by = $1 AND id = $2 AND deleted_at IS NULL LIMIT 1"
			for b.Loop() {
				var p models.Patient
				require.NoError(b, pool.QueryRowContext(b.Context(), query, 1, 7).Scan(&p.ID, &p.Name, &p.DateOfBirth, &p.Gender, &p.Phone, &p.Email,
					&p.Address, &p.BloodGroup, &p.Allergies, &p.MedicalHistory, &p.CreatedBy, &p.CreatedAt, &p.UpdatedAt, &p.Version))
			}
		})
	})
}

// benchAPI is one instance without a network, and an account that asks.
type benchAPI struct {
	b       *testing.B
	handler http.Handler
	token   string
}

// newBenchAPI starts an instance whose account has patients, every fourth of them called Müller, each with a doctor.
func newBenchAPI(b *testing.B, cfg *config.Config) *benchAPI {
	_, handler := kit.Open(b, cfg, slog.NewTextHandler(io.Discard, nil))
	api := &benchAPI{b: b, handler: handler}
	api.do("POST", "/api/auth/register/", fmt.Sprintf(`{"username": "ana", "email": "ana@example.org", "password": %q}`, kit.Password), 201)
	var in struct{ Access string }
	answer := api.do("POST", "/api/auth/login/", fmt.Sprintf(`{"username": "ana", "password": %q}`, kit.Password), 200)
	require.NoError(b, json.Unmarshal(answer, &in))
	api.token = in.Access
	api.do("POST", "/api/doctors/", `{"name": "Dr. Łucja Nowak", "specialization": "Cardiology"}`, 201)
	for n := 1; n <= benchPatients; n++ {
		name := fmt.Sprintf("Patient %d", n)
		if n%4 == 0 {
			name = fmt.Sprintf("Anna Müller %d", n)
		}
		api.do("POST", "/api/patients/", fmt.Sprintf(`{"name": %q, "gender": "female"}`, name), 201)
		api.do("POST", "/api/mappings/", fmt.Sprintf(`{"patient_id": %d, "doctor_id": 1}`, n), 201)
	}
	return api
}

// do sends a request to the handler itself.
func (api *benchAPI) do(method, path, body string, status int) []byte {
	req := httptest.NewRequest(method, path, bytes.NewReader([]byte(body)))
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if api.token != "" {
		req.Header.Set("Authorization", "Bearer "+api.token)
	}
	answer := httptest.NewRecorder()
	api.handler.ServeHTTP(answer, req)
	require.Equal(api.b, status, answer.Code, "%s %s: %s", method, path, answer.Body)
	return answer.Body.Bytes()
}

// benchOnBoth runs a benchmark on SQLite and on PostgreSQL, each on a fresh database.
func benchOnBoth(b *testing.B, bench func(*testing.B, *config.Config)) {
	for _, name := range []string{"sqlite", "postgres"} {
		b.Run(name, func(b *testing.B) {
			if name == "postgres" && kit.Server == nil {
				b.Skip("POSTGRESQL WAS NOT MEASURED: there is no server")
			}
			bench(b, kit.BaseConfig(kit.Fresh[name](b)))
		})
	}
}
