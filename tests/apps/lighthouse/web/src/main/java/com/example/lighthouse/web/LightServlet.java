package com.example.lighthouse.web;

import java.io.IOException;

import com.example.lighthouse.service.Register;

import jakarta.servlet.annotation.WebServlet;
import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;

/** Answers at the root of the application with all lights. */
@WebServlet(urlPatterns = {"", "/lights"}, loadOnStartup = 1)
public class LightServlet extends HttpServlet {

    private static final long serialVersionUID = 1L;

    private transient Register register;

    @Override
    public void init() {
        register = Register.ofTheCoast();
    }

    @Override
    protected void doGet(HttpServletRequest request, HttpServletResponse response) throws IOException {
        response.setContentType("text/html;charset=UTF-8");
        response.getWriter().write(LightPage.render(register.lights()));
    }
}
