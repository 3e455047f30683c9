package config

import (
	"bytes"
	"math"
)

// minStrength, in bits, lies between what repetitions and sequences come to (77 at most, of those in the test) and what
// random secrets do (89 at least, of 20,000 with 128 bits in 32 hexadecimal digits, the weakest that anybody makes).
const minStrength = 80

// strength estimates how many bits of surprise a secret holds. It looks at the bytes, and at the steps from each byte
// to the next, which are all the same in 0123456789, and believes the lower estimate. Words it takes for random
// letters: nothing but a list knows that changeme is one.
func strength(text string) float64 {
	whole := []byte(text[:min(len(text), 256)]) // enough, and quickly done
	steps := make([]byte, max(0, len(whole)-1))
	for i := range steps {
		steps[i] = whole[i+1] - whole[i]
	}
	return min(surprise(whole), surprise(steps))
}

// surprise is the Shannon entropy of a byte, times the number of pieces that the text consists of. Where four bytes or
// more have stood together before, all of them are one piece, as in Lempel and Ziv's compression.
func surprise(text []byte) float64 {
	var count [256]float64
	for _, b := range text {
		count[b]++
	}
	entropy := 0.0
	for _, n := range count {
		if n > 0 {
			entropy -= n / float64(len(text)) * math.Log2(n/float64(len(text)))
		}
	}
	pieces := 0.0
	for i := 0; i < len(text); pieces++ {
		known := 0
		for i+known < len(text) && bytes.Contains(text[:i+known], text[i:i+known+1]) {
			known++
		}
		if known < 4 {
			known = 1
		}
		i += known
	}
	return entropy * pieces
}
