package retrans

func tuneCollector() {}
