"""Work beside the page, in processes that outlive it: one queue, one lane a kind of work, one way to stop."""
