package strictjson

// Members exposes the members that the package parses to the fuzz test.
func Members(text []byte) map[string]string {
	seen := make(map[string]string)
	for m := range Object(text).Members {
		seen[string(m.Name)] = string(m.Value)
	}
	return seen
}
