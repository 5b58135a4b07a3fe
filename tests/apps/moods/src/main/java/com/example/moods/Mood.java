package com.example.moods;

import java.nio.ByteBuffer;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;

import javax.servlet.ServletContextEvent;
import javax.servlet.ServletContextListener;
import javax.servlet.annotation.WebListener;

/** Starts the application as the variable MOOD says. */
@WebListener
public class Mood implements ServletContextListener {

    private final List<Object> held = new ArrayList<>();

    @Override
    public void contextInitialized(ServletContextEvent event) {
        String mood = System.getenv().getOrDefault("MOOD", "well");
        System.out.println("Today's mood: " + mood);
        switch (mood) {
            case "well" -> { }
            case "throws" -> throw new IllegalStateException("cannot start", new java.io.IOException("the ledger is locked"));
            case "database" -> event.getServletContext().setAttribute("database", database());
            case "sleeps" -> sleep();
            case "greedy" -> greedy();
            case "heap" -> heap();
            case "exits" -> Runtime.getRuntime().halt(7);
            case "stubborn" -> Runtime.getRuntime().addShutdownHook(new Thread(Mood::sleep, "stubborn"));
            case "ill" -> event.getServletContext().setAttribute("ill", true);
            default -> throw new IllegalArgumentException(mood);
        }
    }

    /** The version of the database behind DATABASE_URL. */
    static String database() {
        try {
            // Tomcat loads the drivers of its own class path alone.
            Class.forName("org.postgresql.Driver");
        } catch (ClassNotFoundException e) {
            throw new IllegalStateException(e);
        }
        try (Connection connection = DriverManager.getConnection(System.getenv("DATABASE_URL"));
                ResultSet row = connection.createStatement().executeQuery("select version()")) {
            row.next();
            return row.getString(1);
        } catch (SQLException e) {
            throw new IllegalStateException("no database", e);
        }
    }

    private static void sleep() {
        try {
            Thread.sleep(3_600_000);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Outside of the heap, until the kernel ends it. */
    private void greedy() {
        while (true) {
            ByteBuffer block = ByteBuffer.allocateDirect(8 << 20);
            while (block.hasRemaining()) {
                block.putLong(1);
            }
            held.add(block);
        }
    }

    private void heap() {
        while (true) {
            held.add(new byte[8 << 20]);
        }
    }
}
