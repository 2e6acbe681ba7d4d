"""The faces: command line, HTTP, LangChain. Each parses, calls the service and formats; none has logic of its own."""
