// What looks hostile and has a meaning, or is only large.
#include "case.hpp"

#include <ckpt/reader.hpp>
#include <ckpt/writer.hpp>

#include <catch2/catch.hpp>
#include <support/errors.hpp>
#include <support/sample.hpp>
#include <support/temp_dir.hpp>

#include <string>

using namespace ckpt;
using namespace ckpt::test;
using namespace ckpt::test::hostile;

TEST_CASE("an unknown dtype is opaque bytes, and its other checks hold") {
  const TempDir dir;
  Forge forge;
  FileImage image = forge.valid(Base::sample);
  const std::size_t i = image.find("w");
  image.set<std::uint16_t>(image.tensor(i) + at::kDType, 200);
  image.seal_data();
  image.seal_index();
  image.store(dir / "b.ckpt");
  const Reader reader = Reader::open(dir / "b.ckpt", {.verify = Verify::lazy});
  const TensorView view = reader.tensor("w");
  CHECK(to_string(view.dtype()) == "unknown");
  CHECK(bytes_of(view) == random_bytes(6, 78));
  CKPT_CHECK_CODE(ErrorCode::mismatch, view.as<std::uint8_t>());
}

TEST_CASE("paths that are alike to people are different tensors") {
  const TempDir dir;
  std::string deepest = "a";
  while (deepest.size() + 2 <= kMaxPathBytes) deepest += "/a";
  const std::vector<std::string> paths{"e\xcc\x81",
                                       "\xc3\xa9",
                                       "Layer",
                                       "layer",
                                       "\xd0\xb0",
                                       "a",
                                       "a ",
                                       " a",
                                       "C:\\x",
                                       "~",
                                       "-rf",
                                       "...",
                                       "__metadata__",
                                       "$(x)",
                                       "layer.536870912",
                                       std::string(kMaxPathBytes, 'n'),
                                       deepest};
  {
    Writer writer{dir / "a.ckpt", sample_options()};
    for (std::uint8_t i = 0; i < paths.size(); ++i) writer.add<std::uint8_t>(paths[i], {}, std::span{&i, 1});
    writer.commit();
  }
  const Reader reader = Reader::open(dir / "a.ckpt", {.verify = Verify::full});
  for (std::uint8_t i = 0; i < paths.size(); ++i) {
    INFO(paths[i]);
    CHECK(bytes_of(reader.tensor(paths[i])) == Bytes{std::byte{i}});
  }
}

TEST_CASE("a million tensors are no attack") {
  const TempDir dir;
  constexpr int kTensors = 1'000'000;
  {
    Writer writer{dir / "a.ckpt", sample_options()};
    for (int i = 0; i < kTensors; ++i) writer.add("layers/" + std::to_string(i), DType::u8, {0}, {});
    writer.commit();
  }
  const Reader reader = Reader::open(dir / "a.ckpt");
  CHECK(reader.size() == kTensors);
  CHECK(reader.contains("layers/999999"));
  CHECK_FALSE(reader.contains("layers/1000000"));
}
