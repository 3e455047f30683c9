// Package models is the clinic: its tables, their rules and their queries. It reads like a Django models.py.
//
// Begin with patient.go. A resource is a struct, what clients write of it, its list, and a function for each action.
// doctor.go, mapping.go and user.go are alike.
//
//	patient.go, doctor.go, mapping.go, assign.go   the clinic's records and who treats whom
//	careteam.go                                    a patient's doctors as one
//	identifier.go                                  the numbers by which patients are known
//	match.go, score.go                             who may be a patient already
//	merge.go, merge_moves.go                       one patient of two, and two again
//	user.go, staff.go, actor.go                    accounts, and who asks
//	login.go, password.go, session.go              how one signs in
//	invitation.go, forgot.go, mail.go              accounts that staff open, forgotten passwords, mails
//	read.go                                        how anything is read, and that the audit trail tells who saw it
//	write.go, change.go                            how anything is changed: one transaction, one event, one answer
//	belongs.go                                     what belongs to a patient
//	import*.go                                     files that become records
//	history.go, audit_*.go                         what was done: histories, the audit trail and its seals
//	versions.go                                    a record as it was after each change
//	export.go, report.go                           lists as files, and all that is known of one patient
//	erase*.go                                      erasing a patient for good
//	bind.go, text.go, date.go, etag.go,
//	idempotency.go                                 what a client may send, and the form of names
//	search.go                                      what a search looks into, and how it is read
//	find.go, find_address.go                       the conditions of FHIR's searches
//	db.go, postgres.go, pooler.go, file.go, found.go,
//	migrate*.go, cleanup.go, replication.go,
//	backup_note.go, flock*.go, interrupt.go        the database itself
//	ready.go, state.go, traces.go                  what operators ask: probes, metrics, traces
//	replica.go, replica_beats.go                   a standby that lists are read from
//
// Queries are GORM chains, as GORM's guides teach them: db.read for reading, tx within Write for changing. Deleted rows
// are hidden from them (gorm.DeletedAt). What makes them fast is a GORM plugin, package fastgorm, of which nothing needs
// to be known here. Lists are in package listing.
//
// # What GORM has no words for
//
// These queries are text and not chains, 21 of some 250. So is what only a migration does, and GORM's migrator cannot say:
// locks, triggers, text indexes, how a column is stored, a table that is not logged (migrate*.go, audit_seal.go,
// audit_append_only.go, replica.go).
//
//	where            what                    why                                              what it costs
//	write.go         Exec("ROLLBACK")        a failed COMMIT leaves SQLite's one writing      one statement after an error
//	                                         connection in a transaction
//	write.go         advisory lock           one at a time of what has one name: logins of    one round trip
//	                                         an account, writers of an import, archives
//	audit_seal.go    advisory lock           one instance at a time seals                     one round trip a second
//	audit_append_…   set_config, triggers    what is append-only, lifted for one transaction  one statement or five, for packing
//	                                                                                          and erasing only
//	audit_archive_…  FTS5's 'delete'         SQLite's index of events has no trigger for it   one statement, for archiving only
//	migrate_texts.go FTS5's 'merge'          a search index is tidied in small steps          three statements a step, after an
//	                                                                                          upgrade and an erasure only
//	erase_files.go   VACUUM and its like     bytes that were erased leave the files           an erasure's time
//	audit_end.go     pg_walfile_name         which history of a server this is, after a       one round trip a second
//	                                         fail-over
//	audit_gap.go     pg_snapshot, LATERAL    which transactions have ended; events in gaps    two round trips a second,
//	                                                                                          while there are gaps
//
//	ready.go,        database/sql            probes and metrics have a connection of their    one round trip each time that
//	state.go,                                own, when all others are at work                 an operator asks
//	backup_note.go
//
// Four things reach below GORM and database/sql: package fastgorm; interrupt.go, because SQLite's driver does not end a
// query whose request has ended; pooler.go and replica_beats.go, which ask a new connection where it leads to; and
// replication.go, which reads a warning that PostgreSQL gives after a COMMIT.
package models
