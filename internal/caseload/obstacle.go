package caseload

// Obstacle is what keeps Caseload from working with a database that answers.
type Obstacle struct {
	Says string // one sentence
	Mend string // SQL for whoever runs the database; "" when none mends it
}
