package jobs

// CountWaiting is the question that is asked after every file that is read again.
const CountWaiting = countWaiting
