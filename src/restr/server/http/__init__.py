"""HTTP: connections, access, requests, routes, the OpenAPI description."""
