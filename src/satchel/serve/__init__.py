"""A local server of bundles that speaks OpenAI's interface. Needs starlette, uvicorn and msgspec."""
