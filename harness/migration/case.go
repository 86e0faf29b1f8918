package migration

// Case is a kind of table, change or surrounding that tools treat differently: one works, another needs a flag or
// refuses.
type Case string

// The cases of tables and changes.
const (
	CaseNoKey                  Case = "no-key"
	CaseNullableKey            Case = "nullable-key"
	CaseNullableKeyWithoutNull Case = "nullable-key-without-null"
	CaseFloatKey               Case = "float-key"
	CaseRenamedKey             Case = "renamed-key"
	CaseReplacedPrimaryKey     Case = "replaced-primary-key"
	CaseSwappedUniqueKeys      Case = "swapped-unique-keys"
	CaseSwappedColumns         Case = "swapped-columns"
	CaseInvalidDates           Case = "invalid-dates"
	CaseLargeTransactions      Case = "large-transactions"
	CaseReorderedMembers       Case = "reordered-members"
)

// The cases of surroundings.
const (
	CaseReferenced       Case = "referenced-by-foreign-key"
	CaseForeignKey       Case = "foreign-key"
	CaseTrigger          Case = "trigger"
	CasePartialRowImage  Case = "partial-row-image"
	CaseStatementFormat  Case = "statement-format"
	CaseFewPrivileges    Case = "few-privileges"
	CaseExistingNewTable Case = "existing-new-table"
)

// ToolCase is what a tool does with a case.
type ToolCase struct {
	Flags []string // that the tool needs for it
	// Refusal is what the tool prints when it refuses, a regular expression; "" for a tool that does not refuse. A tool
	// that refuses has changed nothing.
	Refusal string
}
