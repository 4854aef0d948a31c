from alvision.deploy.train.model_facts import MemoryFacts, ModelFacts, MonitorFigures


def test_what_a_model_remembers_is_read_back_and_an_earlier_file_has_none():
    memory = MemoryFacts(images=3, patches=10, width=4, usual=1.5, level=2.5)
    facts = ModelFacts(("ok", "worn"), ("worn",), 1.0, {"ok": 3}, "a", "b", MonitorFigures())
    assert "memory" not in facts.to_json()
    with_memory = ModelFacts(**{**vars(facts), "memory": memory})
    assert ModelFacts.from_json(with_memory.to_json()) == with_memory
    assert ModelFacts.from_json(facts.to_json()) == facts
