"""LlamaIndex with a running `satchel serve`: a chat, a stream, and texts found by their vectors.

python llama_index_client.py TALKER EMBEDDER [ADDRESS]
"""

from __future__ import annotations

import sys

from llama_index.core import Document, VectorStoreIndex
from llama_index.core.llms import ChatMessage
from llama_index.embeddings.openai_like import OpenAILikeEmbedding
from llama_index.llms.openai_like import OpenAILike


def main(talker: str, embedder: str, address: str = "http://127.0.0.1:8080/v1") -> None:
    served = {"api_base": address, "api_key": "-"}
    options = {"temperature": 0, "max_tokens": 40, "is_chat_model": True, "context_window": 2048}
    model = OpenAILike(model=talker, **options, **served)
    question = [ChatMessage(role="user", content="Why is the sky blue?")]
    print("whole:   ", model.chat(question).message.content)
    print("streamed:", "".join(piece.delta or "" for piece in model.stream_chat(question)))

    texts = ["A man is eating food.", "The stock market fell.", "Cats sleep all day."]
    documents = [Document(text=text) for text in texts]
    embedding = OpenAILikeEmbedding(model_name=embedder, **served)
    index = VectorStoreIndex.from_documents(documents, embed_model=embedding)
    for found in index.as_retriever(similarity_top_k=2).retrieve("Somebody has a meal."):
        print(f"{found.score:.3f}    ", found.text)
    print("asked:   ", index.as_query_engine(llm=model).query("Who is eating?"))


if __name__ == "__main__":
    main(*sys.argv[1:])
