"""LangChain with a running `satchel serve`: a chat, a stream, OpenAI's newer interface, vectors.

python langchain_client.py TALKER EMBEDDER [ADDRESS]
"""

from __future__ import annotations

import sys

from langchain_openai import ChatOpenAI, OpenAIEmbeddings


def main(talker: str, embedder: str, address: str = "http://127.0.0.1:8080/v1") -> None:
    served = {"base_url": address, "api_key": "-"}
    model = ChatOpenAI(model=talker, temperature=0, max_tokens=40, **served)
    question = [("system", "Answer in one sentence."), ("user", "Why is the sky blue?")]
    answer = model.invoke(question)
    print("whole:   ", answer.content, answer.usage_metadata)
    print("streamed:", "".join(piece.content for piece in model.stream(question)))

    newer = ChatOpenAI(model=talker, temperature=0, max_tokens=40, use_responses_api=True, **served)
    print("newer:   ", newer.invoke(question).text)
    print("streamed:", "".join(piece.text for piece in newer.stream(question)))

    # Without this it cuts texts by a tokenizer of OpenAI's and sends numbers of that.
    vectors = OpenAIEmbeddings(model=embedder, check_embedding_ctx_length=False, **served)
    texts = ["A man is eating food.", "Someone has a meal.", "The stock market fell."]
    first, *others = vectors.embed_documents(texts)
    for text, other in zip(texts[1:], others, strict=True):
        print(f"{sum(a * b for a, b in zip(first, other, strict=True)):.3f}    ", text)


if __name__ == "__main__":
    main(*sys.argv[1:])
