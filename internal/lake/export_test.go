package lake

// CommitUpTo runs the first n steps of a commit and then stops, as a killed
// writer does. It returns how many steps there are.
func (dr *Draft) CommitUpTo(m *Manifest, n int) (steps int, err error) {
	all := dr.steps(m)
	for _, step := range all[:min(n, len(all))] {
		if err := step(); err != nil {
			return len(all), err
		}
	}
	return len(all), nil
}
