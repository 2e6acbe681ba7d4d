"""What the model writes before any check has a say: inputs that nobody trained on, raw answers in a file, measures over them.

made = inputs(seed=0)                           # examples of the test split, tempting, planted and ordinary evidence
answers = await ask(llm, made, Path("tuned.jsonl"), tell)
document(Bench(made, embedder), answers, read(Path("base.jsonl")))
"""
