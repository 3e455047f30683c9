//go:build slow && !race

package tabular

// whole tells that tests of large files have them at their largest.
const whole = true
