package strictjson

// Members shows the fuzzer what the package itself sees in an object.
func Members(text []byte) map[string]string {
	seen := make(map[string]string)
	for m := range Object(text).Members {
		seen[string(m.Name)] = string(m.Value)
	}
	return seen
}
