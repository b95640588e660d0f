// The library's messages and the tool escape the same characters.
#include "../../tools/ckptdump/text.hpp"
#include "base/text.hpp"

#include <catch2/catch.hpp>

#include <string>

namespace {

std::string utf8(unsigned c) {
  std::string text;
  const auto put = [&](unsigned byte) { text += static_cast<char>(static_cast<unsigned char>(byte)); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xc0U | (c >> 6U)), put(0x80U | (c & 0x3fU));
  } else if (c < 0x10000) {
    put(0xe0U | (c >> 12U)), put(0x80U | ((c >> 6U) & 0x3fU)), put(0x80U | (c & 0x3fU));
  } else {
    put(0xf0U | (c >> 18U)), put(0x80U | ((c >> 12U) & 0x3fU)), put(0x80U | ((c >> 6U) & 0x3fU)),
        put(0x80U | (c & 0x3fU));
  }
  return text;
}

}  // namespace

TEST_CASE("each character is escaped by the library as it is by the tool") {
  std::string different;
  for (unsigned c = 0; c <= 0x10ffff; ++c) {
    const std::string text = utf8(c);
    if (ckpt::base::escape(text) != ckptdump::escape(text)) different += ckptdump::escape(text) + ' ';
  }
  CHECK(different.empty());
}

TEST_CASE("what is invisible, or turns what follows, is escaped") {
  for (const unsigned c : {0x00U, 0x1bU, 0x5cU, 0x7fU, 0x9bU, 0xadU, 0x61cU, 0x180eU, 0x200bU, 0x202eU, 0x2066U,
                           0xfeffU, 0xfff9U, 0xfffbU, 0xe0000U, 0xe007fU}) {
    INFO(c);
    CHECK(ckpt::base::escape(utf8(c)) != utf8(c));
  }
}
