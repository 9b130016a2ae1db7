"""JSON over HTTP, thin: one blueprint per noun. No SQL, no rules, no pages."""
