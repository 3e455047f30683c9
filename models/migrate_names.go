package models

import (
	"fmt"
	"log/slog"

	"gorm.io/gorm"

	"healthcare/apierror"
)

// renewKeys brings the keys of names up to date that earlier versions stored in another form, or not at all. Two rows
// may turn out to have the same name. Then the second keeps a key of its own, so that nothing is lost, and the log tells
// its id at each start until somebody renames it.
func renewKeys(g *gorm.DB) error {
	return g.Transaction(func(tx *gorm.DB) error {
		if err := renewUserKeys(tx); err != nil {
			return err
		}
		return fillLicenseKeys(tx)
	})
}

// renewUserKeys leaves a key that is taken by now as it was. Names of ASCII characters alone have had the same key always.
func renewUserKeys(tx *gorm.DB) error {
	var users []User
	err := tx.Select("id", "username", "email", "username_key", "email_key").
		Where("octet_length(username) > length(username) OR octet_length(email) > length(email)").Order("id").Find(&users).Error
	if err != nil {
		return err
	}
	for _, u := range users {
		for column, keys := range map[string][2]Folded{
			"username_key": {u.UsernameKey, nameKey(u.Username)}, "email_key": {u.EmailKey, nameKey(u.Email)},
		} {
			if keys[0] == keys[1] || len(keys[1]) > maxName { // which nobody can log in with, nor an index hold
				continue
			}
			taken, err := setKey(tx, &User{ID: u.ID}, column, keys[1])
			if err != nil {
				return err
			}
			if taken {
				slog.Warn("two accounts have the same name by now: this one keeps its old key", "user", u.ID, "key", column)
			}
		}
	}
	return nil
}

// fillLicenseKeys gives a doctor whose number is taken by now a key that none else can have: no folded text has capital
// letters. Those doctors are tried again, as are those that an earlier version has written meanwhile.
func fillLicenseKeys(tx *gorm.DB) error {
	var doctors []Doctor
	err := tx.Unscoped().Select("id", "license_number", "license_key").
		Where("license_number <> '' AND (license_key IS NULL OR license_key <> lower(license_number))").Order("id").Find(&doctors).Error
	if err != nil {
		return err
	}
	for _, d := range doctors {
		key := nameKey(d.LicenseNumber)
		if d.LicenseKey != nil && *d.LicenseKey == key {
			continue
		}
		taken, err := setKey(tx, &Doctor{ID: d.ID}, "license_key", key)
		if err != nil {
			return err
		}
		if !taken {
			continue
		}
		slog.Warn("two doctors have the same licence number by now: this one keeps a key of its own", "doctor", d.ID)
		if _, err = setKey(tx, &Doctor{ID: d.ID}, "license_key", Folded(fmt.Sprint("DOCTOR ", d.ID))); err != nil {
			return err
		}
	}
	return nil
}

// setKey stores a key, and tells whether another row has it already. The unique index decides.
func setKey(tx *gorm.DB, row any, column string, key Folded) (taken bool, err error) {
	err = tx.Transaction(func(one *gorm.DB) error { // a savepoint
		return one.Model(row).Unscoped().UpdateColumn(column, key).Error
	})
	if apierror.IsDuplicate(err) {
		return true, nil
	}
	return false, err
}
