package fastgorm

// TextsLimit is how many texts are kept.
const TextsLimit = textsLimit

// Kept tells how many texts a plugin keeps by now, and how many shapes it knows that it must not keep.
func (p *Plugin) Kept() (kept, refused int) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	for _, text := range p.texts {
		if text == "" {
			refused++
		} else {
			kept++
		}
	}
	return kept, refused
}
