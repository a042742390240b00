"""Files: what is written, by which program, and what is said when it cannot be."""

import os
import shutil
import struct
from pathlib import Path
from xml.etree import ElementTree

import pytest

from pgm.errors import FileError
from pgm.graph import Graph, Term
from pgm.pictures import Picture, plot
from pgm.pictures.render import render, renderer
from pgm.variable import Variable

PAIR = Graph((Variable("rain"), Variable("wet")), (Term(("rain",), "rain"), Term(("rain", "wet"), "wet")))


@pytest.fixture
def no_system_dot(monkeypatch: pytest.MonkeyPatch) -> None:
    found = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name, path=None: None if name == "dot" else found(name, path=path))


def test_saved_files_are_what_their_suffix_says(tmp_path: Path) -> None:
    picture = plot(PAIR, title="Weather")
    assert picture.save(tmp_path / "a.gv").read_text() == picture.dot
    assert ElementTree.fromstring(picture.save(tmp_path / "a.svg").read_text()).tag.endswith("svg")
    png = picture.save(tmp_path / "a.PNG").read_bytes()
    width, height = struct.unpack(">II", png[16:24])
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    assert 100 < width < 1000 < 10 * height


def test_plot_saves_where_it_is_told_to(tmp_path: Path) -> None:
    picture = plot(PAIR, path=tmp_path / "pair.dot")
    assert (tmp_path / "pair.dot").read_text() == picture.dot


def test_notebooks_show_the_svg() -> None:
    picture = plot(PAIR)
    assert picture._repr_svg_() == picture.svg()
    assert repr(picture) == "Picture(directed view, 2 nodes)"


def test_suffix_must_be_known(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"ends in '\.jpg', expected one of \.svg, \.png, \.pdf, \.dot, \.gv\."):
        plot(PAIR).save(tmp_path / "a.jpg")


def test_folder_must_exist(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"b\.dot: can not be written \(No such file or directory\)"):
        plot(PAIR).save(tmp_path / "a" / "b.dot")


@pytest.mark.usefixtures("no_system_dot")
def test_pdf_needs_the_system_graphviz(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"graphviz-pure writes no PDF\. Install Graphviz, so that `dot` is found, or"):
        plot(PAIR).save(tmp_path / "a.pdf")
    assert not (tmp_path / "a.pdf").exists()


def test_system_graphviz_comes_first_and_writes_pdf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "dot"
    program.write_text('#!/bin/sh\necho "%PDF by $1"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert renderer().path == str(program)
    assert plot(PAIR).save(tmp_path / "a.pdf").read_text() == "%PDF by -Tpdf\n"


def test_without_any_program_the_source_is_still_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    with pytest.raises(FileError, match=r"no program to draw with, expected `dot` or `graphviz-pure`\. Run `pip inst"):
        plot(PAIR).svg()
    assert plot(PAIR).save(tmp_path / "a.dot").exists()


def test_failure_of_the_program_is_passed_on() -> None:
    with pytest.raises(FileError, match=r"plot: .+ failed to write svg: .*syntax error"):
        render("digraph {", "svg")


def test_pictures_are_values() -> None:
    assert plot(PAIR) == plot(PAIR)
    assert plot(PAIR) != Picture("digraph {}", "directed", 0)
