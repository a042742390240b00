"""Codebooks against brute force and running means in closed form."""

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings
from torch import distributed

from deepgen.conditionals.codebook import Codebook, Nearest, Straight


@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_codes_of_short_floats_are_those_of_long_ones_wherever_entries_lie(offset):
    torch.manual_seed(0)
    book = Codebook(64, 16)
    book.entries.normal_().add_(offset)
    features = torch.randn(50, 16, 2, 2) + offset
    rows = features.movedim(1, -1).double()
    distances = (rows[..., None, :] - book.entries.double()).square().sum(-1)
    assert torch.equal(book.nearest(features).long(), distances.argmin(-1))


@settings(max_examples=9)
@given(st.integers(1, 40), st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_codes_are_those_of_the_nearest_entries(size, width, seed):
    torch.manual_seed(seed)
    book = Codebook(size, width).double()
    book.entries.normal_()
    features = torch.randn(2, 3, width, 4, 2, dtype=torch.float64)
    codes = Nearest(book)(features)
    assert codes.shape == (2, 3, 4, 2)
    for place in torch.ones_like(codes).nonzero().tolist():
        a, b, line, column = place
        distances = ((book.entries - features[a, b, :, line, column]) ** 2).sum(-1)
        assert distances[int(codes[a, b, line, column])] <= distances.min() + 1e-12


@settings(max_examples=10)
@given(st.floats(0.1, 0.99), st.integers(0, 2**32 - 1))
def test_entries_are_running_means_in_closed_form(decay, seed):
    torch.manual_seed(seed)
    book = Codebook(4, 2, decay=decay, restart=0).double()
    begun = book.entries.clone()
    batches = [(torch.randn(3, 2, 2, 2, dtype=torch.float64), torch.randint(3, (3, 2, 2))) for _ in range(5)]
    for features, codes in batches:
        book.update(features, codes.double())
    for entry in range(3):
        own = [f.permute(0, 2, 3, 1)[codes == entry] for f, codes in batches]
        weights = [decay ** (4 - step) for step in range(5)]
        numbers = sum(w * len(rows) for w, rows in zip(weights, own, strict=True))
        sums = sum(w * rows.sum(0) for w, rows in zip(weights, own, strict=True))
        torch.testing.assert_close(book.entries[entry], sums / numbers)
        torch.testing.assert_close(book.counts[entry].item(), (1 - decay) * numbers)
    assert torch.equal(book.entries[3], begun[3])  # nothing came to it


def test_an_entry_that_nothing_comes_to_stays_however_long():
    book, features = Codebook(2, 2, decay=0.5, restart=0), torch.tensor([5.0, 5.37]).reshape(1, 2, 1, 1)
    book.update(features, torch.ones(1, 1, 1))
    for _ in range(200):  # until the running sums are 0
        book.update(torch.zeros(1, 2, 1, 1), torch.zeros(1, 1, 1))
    assert book.counts[1] == 0
    assert torch.equal(book.entries[1], features.flatten())


def test_processes_take_in_what_all_of_them_have(monkeypatch):
    """Here the other process has the same rows, so that sums over both are twice those of one."""
    torch.manual_seed(0)
    one, both = Codebook(6, 2, decay=0.5), Codebook(6, 2, decay=0.5)
    one.entries[5] = 100  # nothing comes to it
    both.load_state_dict(one.state_dict())
    features = torch.randn(4, 2, 3, 3)
    codes = one.nearest(features)
    with monkeypatch.context() as patch:
        patch.setattr(distributed, "is_initialized", lambda: True)
        patch.setattr(distributed, "all_reduce", lambda tensor: tensor.mul_(2))
        patch.setattr(distributed, "broadcast", lambda tensor, source: tensor.zero_().add_(source + 7))
        one.update(features, codes)
    restarted = (one.entries == 7).all(-1)  # on what the first process chose
    both.update(features.repeat(2, 1, 1, 1), codes.repeat(2, 1, 1))
    assert restarted.any()
    assert not restarted.all()
    torch.testing.assert_close(one.entries[~restarted], both.entries[~restarted])
    torch.testing.assert_close(one.counts, both.counts)


def test_straight_through_gradient_is_that_at_the_entries():
    torch.manual_seed(0)
    book = Codebook(5, 3)
    features = torch.randn(2, 3, 4, 4, requires_grad=True)
    codes = book.nearest(features)
    weight = torch.randn(2, 3, 4, 4)

    def loss(quantised):
        return (weight * quantised.sin()).sum()

    loss(Straight(book)(features, codes)).backward()
    entries = book(codes).requires_grad_()
    loss(entries).backward()
    assert torch.equal(features.grad, entries.grad)
    assert torch.equal(Straight(book)(features, codes), entries)


def test_the_first_batch_lays_out_all_entries_and_unused_ones_come_back():
    torch.manual_seed(0)
    book = Codebook(8, 2, decay=0.9)
    first = torch.randn(4, 2, 5, 5)
    places = book.nearest(first).flatten().long()
    book.update(first, book.nearest(first))
    rows = first.movedim(1, -1).reshape(-1, 2)
    means = torch.stack([rows[places == k].mean(0) for k in range(8)])
    are_rows = (book.entries[:, None] == rows).all(-1).any(-1)
    assert (are_rows | torch.isclose(book.entries, means).all(-1)).all()
    far = first + 100
    for _ in range(30):
        book.update(far, book.nearest(far))
    used = torch.bincount(book.nearest(far).flatten().long(), minlength=8)
    assert (used > 0).all()


def test_without_a_decay_means_stay_where_gradients_put_them():
    torch.manual_seed(0)
    book = Codebook(4, 2, decay=None, restart=0)
    before = book.entries.detach().clone()
    features = torch.randn(3, 2, 2, 2)
    codes = book.nearest(features)
    book.update(features, codes)
    assert torch.equal(book.entries, before)
    (features - book(codes)).square().sum().backward()
    rows, places = features.movedim(1, -1).reshape(-1, 2), codes.flatten().long()
    by_hand = torch.stack([2 * (before[k] - rows[places == k]).sum(0) for k in range(4)])
    torch.testing.assert_close(book.entries.grad, by_hand)


@pytest.mark.gpu
def test_on_a_gpu():
    book, features = Codebook(16, 4).cuda(), torch.randn(2, 4, 3, 3, device="cuda")
    book.update(features, book.nearest(features))
    codes = book.nearest(features)
    assert book(codes).device.type == "cuda"
    assert torch.equal(codes.cpu(), book.cpu().nearest(features.cpu()))
