"""How many questions may be called for at once: never more than the budget allows, whatever else goes on."""

from hypothesis import given
from hypothesis import strategies as st

from service.core.budget import BudgetManager
from service.core.config import BudgetSpec

DAY = 86_400.0


@given(st.floats(0, 0.3), st.integers(0, 60), st.lists(st.tuples(st.booleans(), st.integers(1, 40)), max_size=30))
def test_batches_keep_law_6(rate, burst, steps):
    """Between batches samples pass, batches take all they may, and a reserve stays where one is kept."""
    budget = BudgetManager(BudgetSpec(rate=rate, burst=burst, max_open=50))
    for at, (calls, count) in enumerate(steps):
        if not calls:
            for _ in range(count):
                budget.see(float(at))
            continue
        for _ in range(min(count, budget.allowance(float(at), budget.reserve)[0])):
            budget.release(budget.take())
            budget.commit(float(at))
        assert budget.spent <= budget.due + burst
        assert budget.open <= 50
        assert budget.left >= budget.reserve or budget.allowance(float(at), budget.reserve)[0] == 0


def test_the_narrowest_bound_is_named():
    """And a new period opens with its time, though no sample came."""
    budget = BudgetManager(BudgetSpec(rate=0.0, burst=20, labels=3, per="day", max_open=5))
    assert budget.allowance(0.0, 0.0) == (3, "cap")
    for _ in range(3):
        budget.release(budget.take())
        budget.commit(0.0)
    assert budget.allowance(1.0, 0.0) == (0, "cap")
    assert budget.allowance(DAY, 0.0) == (2, "max-open")
    budget.open = 0
    assert budget.allowance(DAY, 16.0) == (1, "budget")
    assert BudgetManager(BudgetSpec(rate=0.0, burst=0)).allowance(0.0, 0.0) == (0, "disabled")
