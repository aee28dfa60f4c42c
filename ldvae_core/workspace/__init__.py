"""Where data sets, runs and the queue live on disk: folders, data sets, the database, and which processes live."""
