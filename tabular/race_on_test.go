//go:build race

package tabular

// raceDetector makes the code ten times slower.
const raceDetector = true
