package models

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"

	"healthcare/apierror"
)

// addFields adds the columns that a table lacks, and that may not be NULL, where there are rows already: AutoMigrate does
// not know what those get. They get what the field's `default` tag says, else ”, 0 or false. AutoMigrate adds all other
// columns, and takes the default of these away again, so that the table is like a new one.
func addFields(g *gorm.DB) error {
	for _, model := range Tables {
		stmt := &gorm.Statement{DB: g}
		if err := stmt.Parse(model); err != nil {
			return err
		}
		if !g.Migrator().HasTable(model) {
			continue
		}
		if err := g.Transaction(func(tx *gorm.DB) error { return addFieldsTo(tx, model, stmt.Schema) }); err != nil {
			return err
		}
	}
	return nil
}

func addFieldsTo(tx *gorm.DB, model any, table *schema.Schema) error {
	columns, filled, err := look(tx, table.Table)
	if err != nil || !filled {
		return err
	}
	var added []*schema.Field
	for _, name := range table.DBNames {
		f := table.FieldsByDBName[name]
		if !f.NotNull || f.IgnoreMigration || slices.Contains(columns, name) {
			continue
		}
		filler, err := fillerOf(table, f)
		if err != nil {
			return err
		}
		definition := tx.Migrator().FullDataTypeOf(filler)
		if err := tx.Exec("ALTER TABLE ? ADD ? ?", clause.Table{Name: table.Table}, clause.Column{Name: name}, definition).Error; err != nil {
			return err
		}
		added = append(added, f)
	}
	return checkAdded(tx, model, table, added)
}

// look returns the columns of a table, and tells whether it has rows.
func look(tx *gorm.DB, table string) (columns []string, filled bool, err error) {
	rows, err := tx.Table(table).Limit(1).Rows()
	if err != nil {
		return nil, false, err
	}
	defer func() { _ = rows.Close() }()
	if columns, err = rows.Columns(); err != nil {
		return nil, false, err
	}
	return columns, rows.Next(), rows.Err()
}

// fillerOf is a field with the default that rows which are there already get.
func fillerOf(table *schema.Schema, f *schema.Field) (*schema.Field, error) {
	if f.HasDefaultValue {
		return f, nil
	}
	row, filler := reflect.New(table.ModelType).Elem(), *f
	text, given := f.Tag.Lookup("default")
	if given {
		if err := f.Set(context.Background(), row, text); err != nil {
			return nil, errNeedsValue(table, f, fmt.Sprintf("%q is none", text))
		}
	} else if refersTo := referenceOf(table, f); refersTo != "" {
		return nil, errNeedsValue(table, f, "it refers to "+refersTo)
	} else if !slices.Contains([]schema.DataType{schema.String, schema.Int, schema.Uint, schema.Float, schema.Bool}, f.DataType) {
		return nil, errNeedsValue(table, f, "there is no empty "+f.FieldType.String())
	}
	value, _ := f.ValueOf(context.Background(), row)
	if at, ok := value.(time.Time); ok {
		value = at.UTC().Format("2006-01-02 15:04:05.999999-07:00") // as SQLite's driver stores times
	}
	filler.HasDefaultValue, filler.DefaultValueInterface = true, value
	return &filler, nil
}

// referenceOf is the table that a field refers to, or nothing.
func referenceOf(table *schema.Schema, f *schema.Field) string {
	for _, relation := range table.Relationships.Relations {
		for _, r := range relation.References {
			if r.ForeignKey == f {
				return relation.FieldSchema.Table
			}
		}
	}
	return ""
}

// checkAdded lets the checks and unique indexes of new columns look at what the rows have got.
func checkAdded(tx *gorm.DB, model any, table *schema.Schema, added []*schema.Field) error {
	for _, check := range table.ParseCheckConstraints() {
		if !slices.Contains(added, check.Field) {
			continue
		}
		var broken int64
		if err := tx.Table(table.Table).Where("NOT (" + check.Constraint + ")").Count(&broken).Error; err != nil {
			return err
		}
		if broken > 0 {
			return errNeedsValue(table, check.Field, "its check "+check.Name+" refuses an empty one")
		}
	}
	for _, index := range table.ParseIndexes() {
		i := slices.IndexFunc(index.Fields, func(o schema.IndexOption) bool { return slices.Contains(added, o.Field) })
		if i < 0 || index.Class != "UNIQUE" {
			continue
		}
		err := tx.Migrator().CreateIndex(model, index.Name)
		if apierror.IsDuplicate(err) {
			return fmt.Errorf("table %s has rows that would all get the same in the new column %s, and its index %s is unique: make the field %s.%s "+
				"a pointer without `not null`, or leave the empty ones out of the index by its `where:`", table.Table, index.Fields[i].DBName, index.Name,
				table.Name, index.Fields[i].Name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// errNeedsValue tells who has added a field what is missing in its tag.
func errNeedsValue(table *schema.Schema, f *schema.Field, why string) error {
	example := "0"
	switch {
	case f.DataType == schema.String:
		example = "unknown"
	case f.DataType == schema.Time:
		example = "2026-01-31T00:00:00Z"
	case f.DataType == "date":
		example = "2026-01-31"
	case referenceOf(table, f) != "":
		example = "1"
	}
	return fmt.Errorf("table %s has rows, and they need a value for the new column %s (%s): say which in the tag of the field %s.%s, "+
		"beside `gorm:…`, as in `default:%q`", table.Table, f.DBName, why, table.Name, f.Name, example)
}
