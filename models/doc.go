// Package models is the clinic: its tables, their rules and their queries. It reads like a Django models.py.
//
// Begin with patient.go. A resource is a struct, what clients write of it, its list, and a function for each action.
// doctor.go, mapping.go and user.go are alike.
//
//	patient.go, doctor.go, mapping.go, assign.go   the clinic's records and who treats whom
//	identifier.go                                  the numbers by which patients are known
//	match.go, score.go                             who may be a patient already
//	merge.go, merge_moves.go                       one patient of two, and two again
//	user.go, staff.go, actor.go                    accounts, and who asks
//	login.go, password.go, session.go              how one signs in
//	invitation.go, forgot.go, mail.go              accounts that staff open, forgotten passwords, mails
//	write.go, change.go                            how anything is changed: one transaction, one event, one answer
//	belongs.go                                     what belongs to a patient, and how it is read
//	import*.go                                     files that become records
//	history.go, audit_*.go                         what was done: histories, the audit trail and its seals
//	erase*.go                                      erasing a patient for good
//	bind.go, text.go, etag.go, idempotency.go      what a client may send, and the form of names
//	search.go                                      what a search looks into, and how it is read
//	db.go, postgres.go, pooler.go, file.go, found.go,
//	migrate*.go, cleanup.go, replication.go,
//	backup_note.go                                 the database itself
//	replica.go, replica_beats.go                   a standby that lists are read from
//
// Queries are GORM chains, as GORM's guides teach them: db.read for reading, tx within Write for changing. Deleted rows
// are hidden from them (gorm.DeletedAt). What makes them fast is a GORM plugin, package fastgorm, of which nothing needs
// to be known here. Lists are in package listing.
//
// # What GORM has no words for
//
// No query goes past GORM's API, but these are text, given to its Raw and Exec (6 of some 60 queries). So is DDL that its
// migrator cannot say: triggers, partial and text indexes, a table that is not logged, in migrate*.go, audit_seal.go,
// audit_append_only.go and replica_beats.go.
//
//	where            what                    why                                              what it costs
//	write.go         Exec("ROLLBACK")        a failed COMMIT leaves SQLite's one writing      one statement after an error
//	                                         connection in a transaction
//	write.go         advisory lock           one login of an account at a time                one round trip
//	audit_seal.go    advisory lock           one instance at a time seals                     one round trip a second
//	audit_append_…   set_config, triggers    what is append-only, lifted for one transaction  one statement or five, for packing
//	                                                                                          and erasing only
//	erase_files.go   VACUUM and its like     bytes that were erased leave the files           an erasure's time
//	audit_end.go     pg_walfile_name         which history of a server this is, after a       one round trip a second
//	                                         fail-over
//	audit_gap.go     pg_snapshot, LATERAL    which transactions have ended; events in gaps    two round trips a second,
//	                                                                                          while there are gaps
//
// Two things reach below GORM: package fastgorm, and interrupt.go, because SQLite's driver does not end a query whose
// request has ended.
package models
