package com.example.moods;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.net.InetAddress;
import java.net.UnknownHostException;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;

import org.junit.jupiter.api.Test;

class DatabaseTest {

    @Test
    void keepsWhatIsWritten() throws Exception {
        assumeTrue(isThere("postgres"), "no database in this network");
        try (Connection connection =
                DriverManager.getConnection("jdbc:postgresql://postgres/postgres", "postgres", "only-for-tests")) {
            connection.createStatement().execute("create table mood (name text)");
            connection.createStatement().execute("insert into mood values ('well')");
            try (ResultSet row = connection.createStatement().executeQuery("select count(*) from mood")) {
                row.next();
                assertEquals(1, row.getInt(1));
            }
        }
    }

    @Test
    void knowsNoOtherMood() {
        assertEquals("well", System.getenv().getOrDefault("MOOD", "well"));
    }

    private static boolean isThere(String host) {
        try {
            return InetAddress.getByName(host) != null;
        } catch (UnknownHostException e) {
            return false;
        }
    }
}
