package fastgorm_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"healthcare/fastgorm"
	"healthcare/models"
	"healthcare/tests/kit"
)

// counts are how many patients and events there are, deleted ones included.
func counts(t *testing.T, db *gorm.DB) (n [2]int64) {
	t.Helper()
	for i, name := range []string{"patients", "events"} {
		require.NoError(t, db.Raw("SELECT count(*) FROM "+name).Scan(&n[i]).Error)
	}
	return n
}

// newest is the last event, as the database holds it.
func newest(t *testing.T, db *gorm.DB) models.Event {
	t.Helper()
	var rows []models.Event
	require.NoError(t, db.Raw("SELECT * FROM events ORDER BY id DESC LIMIT 1").Scan(&rows).Error)
	return rows[0]
}

func TestOnPostgreSQLAChangeAndItsAlsoAreOneStatementWithNoTransaction(t *testing.T) {
	t.Parallel()
	p := newPair(t, kit.FreshPostgres, &fastgorm.Plugin{})
	for n := range 3 {
		row, event := patientRow(n).(*models.Patient), eventOf(n)
		before := counts(t, p.fast)
		done := p.fast.Clauses(fastgorm.Also(event, "object_id", "patient_id")).Create(row)
		require.NoError(t, done.Error)
		assert.EqualValues(t, 1, done.RowsAffected)
		assert.Equal(t, [2]int64{before[0] + 1, before[1] + 1}, counts(t, p.fast))
		assert.Positive(t, row.ID)
		assertEvent(t, p.fast, eventOf(n), row.ID)

		row.Version, row.Name = row.Version+1, "Changed"
		update := func(version int64) *gorm.DB {
			return p.fast.Clauses(fastgorm.Also(eventOf(n+1), "object_id", "patient_id")).Unscoped().Where("version = ?", version).
				Select("*").Omit("created_at").Updates(row)
		}
		done = update(row.Version - 1)
		require.NoError(t, done.Error)
		assert.EqualValues(t, 1, done.RowsAffected)
		assertEvent(t, p.fast, eventOf(n+1), row.ID)

		before = counts(t, p.fast)
		done = update(row.Version - 1) // it is gone
		require.NoError(t, done.Error)
		assert.Zero(t, done.RowsAffected)
		assert.Equal(t, before, counts(t, p.fast))
	}
}

// assertEvent asserts that the newest event is this one, about a patient.
func assertEvent(t *testing.T, db *gorm.DB, want *models.Event, patient int64) {
	t.Helper()
	got := newest(t, db)
	want.ID, want.ObjectID, want.PatientID = got.ID, &patient, &patient
	assert.Equal(t, *want, got)
}

func TestOnPostgreSQLNeitherIsStoredIfOneOfThemIsRefused(t *testing.T) {
	t.Parallel()
	p := newPair(t, kit.FreshPostgres, &fastgorm.Plugin{})
	for range 3 { // with a text that is kept too
		for name, run := range map[string]func(also *gorm.DB, row *models.Patient) *gorm.DB{
			"create": func(db *gorm.DB, row *models.Patient) *gorm.DB { row.ID = 0; return db.Create(row) },
			"update": func(db *gorm.DB, row *models.Patient) *gorm.DB { row.ID = 1; return db.Select("*").Updates(row) },
		} {
			before, first := counts(t, p.fast), models.Patient{}
			require.NoError(t, p.fast.Raw("SELECT * FROM patients WHERE id = 1").Scan(&first).Error)
			bad, good := patientRow(3).(*models.Patient), patientRow(4).(*models.Patient)
			bad.Gender = "x"
			assert.ErrorContains(t, run(p.fast.Clauses(fastgorm.Also(eventOf(1), "object_id")), bad).Error, "23514", name)
			assert.ErrorContains(t, run(p.fast.Clauses(fastgorm.Also(refusedEvent(), "object_id")), good).Error, "23514", name)
			assert.Equal(t, before, counts(t, p.fast), name)
			after := models.Patient{}
			require.NoError(t, p.fast.Raw("SELECT * FROM patients WHERE id = 1").Scan(&after).Error)
			assert.Equal(t, first, after, name)
			require.NoError(t, run(p.fast.Clauses(fastgorm.Also(eventOf(1), "object_id")), patientRow(6).(*models.Patient)).Error, name)
		}
	}
}

// needsTransaction are changes that need one on PostgreSQL, because they are more than one statement.
var needsTransaction = map[string]func(db *gorm.DB) *gorm.DB{
	"a slice": func(db *gorm.DB) *gorm.DB {
		rows := []models.Patient{*patientRow(1).(*models.Patient)}
		return db.Clauses(fastgorm.Also(eventOf(1))).Create(&rows)
	},
	"a row with a key": func(db *gorm.DB) *gorm.DB {
		row := patientRow(1).(*models.Patient)
		row.ID = 4000
		return db.Clauses(fastgorm.Also(eventOf(1), "object_id")).Create(row)
	},
	"a slice of others": func(db *gorm.DB) *gorm.DB {
		return db.Clauses(fastgorm.Also([]models.Event{*eventOf(1)})).Create(patientRow(1))
	},
	"a delete": func(db *gorm.DB) *gorm.DB {
		return db.Clauses(fastgorm.Also(eventOf(1), "object_id")).Delete(&models.Patient{ID: 1})
	},
	"an update of a column": func(db *gorm.DB) *gorm.DB {
		return db.Clauses(fastgorm.Also(eventOf(1), "object_id")).Model(&models.Patient{ID: 1}).UpdateColumn("phone", "changed")
	},
}

func TestWhatNeedsATransactionAndHasNoneStoresNothing(t *testing.T) {
	onBoth(t, func(t *testing.T, p *pair) {
		for name, run := range needsTransaction {
			done := run(p.fast)
			assert.ErrorIs(t, done.Error, fastgorm.ErrNeedsTransaction, name)
			assert.Zero(t, done.RowsAffected, name)
		}
		p.compareTables(t, "refused") // of which the other side has had nothing to do
		for name, run := range needsTransaction {
			assert.NoError(t, p.fast.Transaction(func(tx *gorm.DB) error { return run(tx).Error }), name)
		}
	})
}

func TestAPluginThatIsOffNeedsATransactionForEveryAlso(t *testing.T) {
	onBothWithOff(t, func(t *testing.T, p *pair) {
		before := counts(t, p.stock)
		for _, c := range changes {
			_, done := c.run(p.stock.Clauses(fastgorm.Also(eventOf(1), "object_id", "patient_id")), 1)
			assert.ErrorIs(t, done.Error, fastgorm.ErrNeedsTransaction, c.name)
		}
		assert.Equal(t, before, counts(t, p.stock))
	})
}

func TestAlsoStoresASliceOfManyRowsWithAChangeOfManyRows(t *testing.T) {
	onBothWithOff(t, func(t *testing.T, p *pair) {
		p.compare(t, "many", func(db *gorm.DB) (rows any, done *gorm.DB) {
			var events []models.Event
			for n := range 700 { // more than one statement holds
				events = append(events, *eventOf(n))
			}
			_ = db.Transaction(func(tx *gorm.DB) error {
				done = tx.Clauses(fastgorm.Also(events)).Model(&models.Mapping{}).Where("id > ?", 1).Updates(map[string]any{"removed_with": "doctor"})
				return done.Error
			})
			return events, done
		})
		p.compareTables(t, "many")
	})
}

func TestAnAlsoLeavesNothingBehindForTheNextChange(t *testing.T) {
	onBoth(t, func(t *testing.T, p *pair) {
		require.NoError(t, p.fast.Transaction(func(tx *gorm.DB) error {
			err := tx.Clauses(fastgorm.Also(eventOf(1), "object_id")).Create(patientRow(1)).Error
			require.NoError(t, err)
			before := counts(t, tx)
			require.NoError(t, tx.Create(patientRow(2)).Error)
			assert.Equal(t, [2]int64{before[0] + 1, before[1]}, counts(t, tx))
			assert.False(t, fastgorm.HasAlso(tx.Session(&gorm.Session{}).Statement))
			return nil
		}))
	})
}
