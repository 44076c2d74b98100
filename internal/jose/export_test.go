package jose

// Members shows the fuzzer what the package itself sees in an object.
func Members(text []byte) map[string]string {
	seen := make(map[string]string)
	for name, value := range object(text).members {
		seen[string(name)] = string(value)
	}
	return seen
}
