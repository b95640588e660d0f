#include "objects.hpp"

#include <algorithm>
#include <limits>
#include <optional>

using namespace ckpt;
using namespace ckpt::test;

TEST_CASE("save numbers its files from a counter that is saved inside", "[graph][save][testNumberedPath]") {
  TempDir dir;
  Variable<float> v{1};
  Checkpoint checkpoint{{"v", v}};
  CHECK(checkpoint.save(dir / "c", quick()) == dir / "c-1.ckpt");
  CHECK(checkpoint.save(dir / "c", quick()) == dir / "c-2.ckpt");
  CHECK(paths_in(dir / "c-2.ckpt") == Paths{"save_counter", "v"});
  const TensorView counter = Reader::open(dir / "c-2.ckpt").tensor("save_counter");
  CHECK(counter.as<std::int64_t>()[0] == 2);
}

TEST_CASE("write leaves the counter alone", "[graph][save][testCustomNumbering][test_read_write_fspath]") {
  TempDir dir;
  Variable<float> v{1};
  Checkpoint checkpoint{{"v", v}};
  CHECK(checkpoint.write(dir / "sub/dir/x.ckpt", quick()) == dir / "sub/dir/x.ckpt");
  CHECK(paths_in(dir / "sub/dir/x.ckpt") == Paths{"v"});
  v = 2.0F;
  checkpoint.write(dir / "sub/dir/x.ckpt", quick());
  CHECK(scalar_in(dir / "sub/dir/x.ckpt", "v") == 2);
}

TEST_CASE("a failed save keeps the number and the old file", "[graph][save]") {
  TempDir dir;
  Variable<float> v{1};
  Checkpoint checkpoint{{"v", v}};
  std::filesystem::create_directory(dir / "c-1.ckpt");
  CHECK_THROWS_AS(checkpoint.save(dir / "c", quick()), Error);
  CHECK(checkpoint.save_counter().value() == 1);
  CHECK(checkpoint.save(dir / "c", quick()) == dir / "c-2.ckpt");
}

TEST_CASE("a prefix without a file name is refused", "[graph][save]") {
  TempDir dir;
  Variable<float> v{1};
  Checkpoint checkpoint{{"v", v}};
  AsyncSaver saver{checkpoint};
  for (const char* prefix : {"", "/", ".", "..", "/sub/", "/."}) {
    const std::filesystem::path path = *prefix == '/' ? dir.path().string() + prefix : std::string{prefix};
    INFO(path);
    CKPT_REQUIRE_ERROR(error, ErrorCode::invalid_argument, checkpoint.save(path, quick()));
    CHECK(error.details().file == path);
    CHECK(contains(error.what(), "names no file"));
    CKPT_CHECK_CODE(ErrorCode::invalid_argument, saver.save(path, {.save = quick()}));
  }
  CHECK(checkpoint.save_counter().value() == 0);
  CHECK(std::filesystem::is_empty(dir.path()));
}

TEST_CASE("a shared object is saved once and found under every path", "[graph][save]") {
  TempDir dir;
  Box embedding;
  embedding.add("weight", 5);
  Box encoder;
  Box decoder;
  encoder.track("embedding", embedding);
  decoder.track("tied", embedding);
  Checkpoint{{"encoder", encoder}, {"decoder", decoder}}.write(dir / "a.ckpt", quick());
  CHECK(paths_in(dir / "a.ckpt") == Paths{"decoder/tied/weight"});
  CHECK(scalar_in(dir / "a.ckpt", "encoder/embedding/weight") == 5);
}

TEST_CASE("the path of a shared object is the shortest, then the first by name", "[graph][save]") {
  TempDir dir;
  Variable<float> v{1};
  Box a;
  Box b;
  a.track("b", b);
  b.track("v", v);
  Checkpoint{{"a", a}, {"z", v}}.write(dir / "a.ckpt", quick());
  CHECK(paths_in(dir / "a.ckpt") == Paths{"z"});
}

TEST_CASE("objects may form a cycle, and do not leak", "[graph][testDependencyLoop]") {
  TempDir dir;
  LogCapture log;
  {
    Box a;
    Box b;
    a.track("b", b);
    b.track("a", a);
    auto va = a.add("v", 1);
    auto vb = b.add("v", 2);
    Checkpoint{{"a", a}}.write(dir / "a.ckpt", quick());
    CHECK(paths_in(dir / "a.ckpt") == Paths{"a/b/v", "a/v"});
    CHECK(scalar_in(dir / "a.ckpt", "a/b/a/b/v") == 2);
    va = 0.0F;
    vb = 0.0F;
    Checkpoint{{"a", a}}.read(dir / "a.ckpt").assert_consumed();
    CHECK(va.value() == 1);
    CHECK(vb.value() == 2);
  }
  {  // and one that is restored piece by piece
    Box a;
    Checkpoint checkpoint{{"a", a}};
    const auto status = checkpoint.read(dir / "a.ckpt");
    Box b;
    a.track("b", b);
    b.track("a", a);
    CHECK(b.add("v", 0).value() == 2);
    CHECK(a.add("v", 0).value() == 1);
    status.assert_consumed();
  }
  {  // a restore that waits for ever inside a cycle goes with the objects: its warning proves it
    Box a;
    Box b;
    a.track("b", b);
    b.track("a", a);
    static_cast<void>(Checkpoint{{"a", a}}.read(dir / "a.ckpt"));
    CHECK(log.warnings.empty());
  }
  REQUIRE(log.warnings.size() == 1);
}

TEST_CASE("the same state gives the same bytes", "[graph][save][determinism]") {
  TempDir dir;
  SaveOptions options = quick();
  options.writer.uuid = Uuid{};
  options.writer.created_ns = 0;
  options.writer.step = 7;
  options.metadata["run"] = std::string{"toy"};
  const auto make = [&](const std::filesystem::path& file, bool forwards) {
    Box net;
    Box adam;
    Variable<float> w{1};
    Variable<float> u{2};
    for (const bool first : {true, false}) {
      const bool is_w = first == forwards;
      const char* name = is_w ? "w" : "u";
      Variable<float>& variable = is_w ? w : u;
      net.track(name, variable);
      adam.add_slot<float>(variable, forwards ? "m" : "v", 3.0F);
      adam.add_slot<float>(variable, forwards ? "v" : "m", 3.0F);
    }
    Checkpoint{{"adam", adam}, {"net", net}}.write(file, options);
  };
  make(dir / "a.ckpt", true);
  make(dir / "b.ckpt", false);
  CHECK(read_file(dir / "a.ckpt") == read_file(dir / "b.ckpt"));
  const Metadata metadata = Reader::open(dir / "a.ckpt").metadata();
  CHECK(std::get<std::string>(metadata.at("run")) == "toy");
  CHECK(std::get<std::int64_t>(metadata.at("ckpt.step")) == 7);
}

TEST_CASE("the children of a root object are the top level", "[graph][save][test_root_arg]") {
  TempDir dir;
  Box root;
  auto v = root.add("v", 4);
  Variable<float> step{2};
  Checkpoint checkpoint{root, {{"step", step}}};
  checkpoint.save(dir / "c", quick());
  CHECK(paths_in(dir / "c-1.ckpt") == Paths{"save_counter", "step", "v"});
  Variable<float> other{0};
  CKPT_CHECK_CODE(ErrorCode::already_exists, Checkpoint(root, {{"v", other}}));
  CHECK_NOTHROW(Checkpoint(root, {{"v", v}}));
  // The same file, laid out by items alone.
  Variable<float> a{0};
  Variable<float> b{0};
  Checkpoint items{{"v", a}, {"step", b}};
  items.restore(dir / "c-1.ckpt").assert_consumed();
  CHECK(a.value() == 4);
  CHECK(b.value() == 2);
}

TEST_CASE("a checkpoint does not keep its root object alive", "[graph][test_weakref_root]") {
  TempDir dir;
  std::optional<Box> root{std::in_place};
  Checkpoint checkpoint{*root};
  root.reset();
  CKPT_CHECK_CODE(ErrorCode::invalid_argument, checkpoint.write(dir / "a.ckpt", quick()));
}

TEST_CASE("saving to the file that variables view", "[graph][save][binding]") {
  TempDir dir;
  Variable<float> v{{3}, 1.5F};
  Checkpoint checkpoint{{"v", v}};
  checkpoint.write(dir / "a.ckpt", quick());
  checkpoint.read(dir / "a.ckpt", {.binding = Binding::view}).assert_consumed();
  checkpoint.write(dir / "a.ckpt", quick());
  const TensorView view = Reader::open(dir / "a.ckpt").tensor("v");
  CHECK(view.as<float>()[2] == 1.5F);
  CHECK(v.values()[2] == 1.5F);
}

TEST_CASE("a name that the counter needs is reported", "[graph][save]") {
  TempDir dir;
  Box box;
  Checkpoint checkpoint{{"save_counter", box}};
  CKPT_CHECK_CODE(ErrorCode::already_exists, checkpoint.save(dir / "c", quick()));
  CHECK_NOTHROW(checkpoint.write(dir / "c.ckpt", quick()));
}

TEST_CASE("a counter that a file has ruined is refused", "[graph][save][hostile]") {
  TempDir dir;
  Checkpoint checkpoint;
  for (const std::int64_t value : {std::numeric_limits<std::int64_t>::max(), std::int64_t{-1}}) {
    checkpoint.save_counter() = value;
    CKPT_CHECK_CODE(ErrorCode::limit, checkpoint.save(dir / "c", quick()));
  }
}
