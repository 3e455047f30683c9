package kit

import "sync"

// AtOnce makes n requests at once and returns their answers.
func AtOnce(n int, request func(i int) *Response) []*Response {
	answers := make([]*Response, n)
	start, done := make(chan struct{}), sync.WaitGroup{}
	for i := range n {
		done.Go(func() {
			<-start
			answers[i] = request(i)
		})
	}
	close(start)
	done.Wait()
	return answers
}

// Tally counts answers by their status.
func Tally(answers []*Response) map[int]int {
	n := map[int]int{}
	for _, r := range answers {
		n[r.Status]++
	}
	return n
}
