#include <gtest/gtest.h>

#include "structkd/structkd.h"

TEST(Version, libraryAgreesWithItsHeader) { EXPECT_STREQ(structkd_version(), STRUCTKD_VERSION); }
