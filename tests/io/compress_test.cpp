// Chunks that come in any order are handed on in theirs, until one fails.
#include "io/compress.hpp"

#include <catch2/catch.hpp>

#include <chrono>
#include <cstddef>
#include <future>
#include <memory>
#include <stdexcept>
#include <vector>

using ckpt::io::EncodedChunk;
using ckpt::io::InOrder;

TEST_CASE("chunks are handed on in the order of their numbers", "[compress]") {
  std::vector<std::pair<std::size_t, std::uint64_t>> handed;
  InOrder output{8, [&](std::size_t number, const EncodedChunk& chunk) {
                   CHECK(chunk.stored.size() == number);
                   handed.emplace_back(number, chunk.sum);
                 }};
  const std::vector<std::byte> bytes(8);
  for (const std::size_t number : {2U, 1U, 4U, 0U, 3U, 5U}) {
    output.deliver(number, {std::span{bytes}.first(number), 10 + number});
  }
  CHECK(handed ==
        std::vector<std::pair<std::size_t, std::uint64_t>>{{0, 10}, {1, 11}, {2, 12}, {3, 13}, {4, 14}, {5, 15}});
}

TEST_CASE("chunks are brought while one is handed on", "[compress]") {
  std::vector<std::future<void>> waiting;  // which would wait, too, if it were destroyed before
  std::vector<std::size_t> handed;
  std::unique_ptr<InOrder> output;
  const auto hand_on = [&](std::size_t number, const EncodedChunk&) {
    handed.push_back(number);
    if (number != 0) return;
    auto one = std::async(std::launch::async, [&] { output->deliver(1, {}); });
    CHECK(one.wait_for(std::chrono::seconds{10}) == std::future_status::ready);
    handed.push_back(100);
    waiting.push_back(std::move(one));
  };
  output = std::make_unique<InOrder>(8, hand_on);
  output->deliver(0, {});
  CHECK(handed == std::vector<std::size_t>{0, 100, 1});
}

TEST_CASE("what finds no room waits for its turn", "[compress]") {
  std::vector<std::size_t> handed;
  InOrder output{4, [&](std::size_t number, const EncodedChunk&) { handed.push_back(number); }};
  const std::vector<std::byte> bytes(4);
  output.deliver(2, {bytes});
  auto one = std::async(std::launch::async, [&] { output.deliver(1, {bytes}); });
  CHECK(one.wait_for(std::chrono::milliseconds{50}) == std::future_status::timeout);
  output.deliver(0, {bytes});
  one.get();
  CHECK(handed == std::vector<std::size_t>{0, 1, 2});
}

TEST_CASE("after a chunk that could not be handed on, none is", "[compress]") {
  for (const std::size_t bad : {0U, 1U}) {
    std::vector<std::size_t> handed;
    InOrder output{8, [&](std::size_t number, const EncodedChunk&) {
                     if (number == bad) throw std::runtime_error{"no room"};
                     handed.push_back(number);
                   }};
    if (bad == 1) output.deliver(1, {});  // waits for the one before
    CHECK_THROWS_AS(output.deliver(0, {}), std::runtime_error);
    for (const std::size_t number : {1U, 2U, 3U}) {
      if (number != bad) CHECK_NOTHROW(output.deliver(number, {}));
    }
    output.fail();
    CHECK_NOTHROW(output.deliver(100, {}));  // nor does anybody wait
    CHECK(handed == (bad == 0 ? std::vector<std::size_t>{} : std::vector<std::size_t>{0}));
  }
}
