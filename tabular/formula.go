package tabular

import "strings"

// starts are what a cell of a CSV file begins with that a spreadsheet would run as a formula (OWASP, CSV Injection), and
// the apostrophe that keeps it from that.
const starts = "=+-@\t\r'"

// Escape writes a text into a cell of a CSV file so that no spreadsheet runs it: with an apostrophe before it.
func Escape(text string) string {
	if text != "" && strings.IndexByte(starts, text[0]) >= 0 {
		return "'" + text
	}
	return text
}

// Unescape takes away what Escape has put there, and leaves other apostrophes alone: 'Ali is a name.
func Unescape(cell string) string {
	if len(cell) > 1 && cell[0] == '\'' && strings.IndexByte(starts, cell[1]) >= 0 {
		return cell[1:]
	}
	return cell
}
